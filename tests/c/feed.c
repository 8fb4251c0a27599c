/* A feed between two threads: what is pushed can be drawn, and what makes no sense is refused and changes nothing. */

#include "check.h"

#include <math.h>

#define VALUES 3u

static fulcrum_feed_config_t good_feed(void) {
  fulcrum_feed_config_t config;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.values = VALUES;
  config.capacity = 8;
  config.waiting = 4;
  config.seed = 7;
  return config;
}

static fulcrum_feed_t *feed_of(fulcrum_feed_config_t config) {
  fulcrum_feed_t *feed = NULL;
  CHECK_STATUS(fulcrum_feed_open(&config, &feed, NULL), FULCRUM_OK);
  CHECK(feed != NULL);
  return feed;
}

static void push(fulcrum_feed_t *feed, int64_t label) {
  const float sample[VALUES] = {(float)label, (float)label + 0.5f, (float)label * 2.0f};
  CHECK_STATUS(fulcrum_feed_push(feed, sample, VALUES, label), FULCRUM_OK);
}

static fulcrum_feed_statistics_t statistics_of(const fulcrum_feed_t *feed) {
  fulcrum_feed_statistics_t statistics;
  statistics.size = sizeof statistics;
  CHECK_STATUS(fulcrum_feed_statistics(feed, &statistics), FULCRUM_OK);
  return statistics;
}

static void what_is_pushed_is_drawn_whole(void) {
  fulcrum_feed_t *feed = feed_of(good_feed());
  float values[2 * VALUES] = {-1.0f};
  int64_t labels[2] = {-1, -1};
  fulcrum_feed_statistics_t told;
  CHECK_STATUS(fulcrum_feed_draw(feed, 2, values, labels), FULCRUM_EMPTY);
  push(feed, 1);
  CHECK_STATUS(fulcrum_feed_draw(feed, 2, values, labels), FULCRUM_EMPTY);
  CHECK(values[0] == -1.0f && labels[0] == -1);
  push(feed, 2);
  for (int i = 0; i < 50; ++i) {
    CHECK_STATUS(fulcrum_feed_draw(feed, 2, values, labels), FULCRUM_OK);
    for (int sample = 0; sample < 2; ++sample) {
      const float label = (float)labels[sample];
      const float *row = values + (size_t)sample * VALUES;
      CHECK(labels[sample] == 1 || labels[sample] == 2);
      CHECK(row[0] == label && row[1] == label + 0.5f && row[2] == label * 2.0f);
    }
  }
  told = statistics_of(feed);
  CHECK(told.taken == 2 && told.draws == 50 && told.drawn == 100 && told.dry == 2 && told.refused == 0);
  CHECK(told.stalls == 1 && told.stalled_ns > 0 && told.longest_stall_ns == told.stalled_ns);
  fulcrum_feed_close(feed);
}

static void a_sample_too_many_is_turned_away_and_counted(void) {
  fulcrum_feed_t *feed = feed_of(good_feed());
  const float sample[VALUES] = {0.0f};
  for (int64_t label = 0; label < 4; ++label) push(feed, label);
  CHECK_STATUS(fulcrum_feed_push(feed, sample, VALUES, 4), FULCRUM_ERR_FULL);
  CHECK(statistics_of(feed).turned_away == 1);
  fulcrum_feed_close(feed);
}

static void classes_have_shares_and_other_labels_are_refused(void) {
  fulcrum_feed_config_t config = good_feed();
  fulcrum_feed_t *feed;
  float values[VALUES];
  int64_t label;
  config.policy = FULCRUM_FEED_BALANCED;
  config.classes = 2;
  config.reuse = 1;
  feed = feed_of(config);
  push(feed, 0);
  push(feed, 1);
  push(feed, 2);
  push(feed, -1);
  CHECK_STATUS(fulcrum_feed_draw(feed, 1, values, &label), FULCRUM_OK);
  CHECK_STATUS(fulcrum_feed_draw(feed, 1, values, &label), FULCRUM_OK);
  CHECK_STATUS(fulcrum_feed_draw(feed, 1, values, &label), FULCRUM_EMPTY);
  CHECK(statistics_of(feed).refused == 2 && statistics_of(feed).taken == 2);
  fulcrum_feed_close(feed);
}

static void refuse_feed(fulcrum_feed_config_t config, fulcrum_status_t wanted) {
  fulcrum_feed_t *feed = NULL;
  fulcrum_error_t error;
  CHECK_STATUS(fulcrum_feed_open(&config, &feed, &error), wanted);
  CHECK(feed == NULL && error.code == wanted && error.text[0] != 0);
}

static void a_feed_that_makes_no_sense_is_refused(void) {
  fulcrum_feed_config_t config;
  CHECK_STATUS(fulcrum_feed_open(NULL, NULL, NULL), FULCRUM_ERR_ARGUMENT);
  config = good_feed(), config.size = 47, refuse_feed(config, FULCRUM_ERR_SIZE);
  config = good_feed(), config.values = 0, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config = good_feed(), config.capacity = 0, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config = good_feed(), config.capacity = UINT32_MAX, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config = good_feed(), config.waiting = UINT32_MAX, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config.values = UINT32_MAX, config.capacity = UINT32_MAX, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config = good_feed(), config.policy = 3, refuse_feed(config, FULCRUM_ERR_TOO_NEW);
  config = good_feed(), config.last = 1, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config = good_feed(), config.policy = FULCRUM_FEED_RECENT, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config.last = 1, config.classes = 1, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config = good_feed(), config.policy = FULCRUM_FEED_BALANCED, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
  config.classes = 9, refuse_feed(config, FULCRUM_ERR_ARGUMENT);
}

static void every_mistake_in_a_call_is_answered_and_changes_nothing(void) {
  fulcrum_feed_t *feed = feed_of(good_feed());
  uint64_t something_else[4] = {0, 0, 0, 0};
  fulcrum_feed_t *const no_feed[3] = {NULL, (fulcrum_feed_t *)something_else,
                                      (fulcrum_feed_t *)((char *)something_else + 1)};
  fulcrum_runtime_t *rt = opened();
  fulcrum_feed_statistics_t statistics;
  float values[VALUES] = {0.0f};
  float odd[VALUES] = {0.0f, NAN, 0.0f};
  int64_t label = 0;
  statistics.size = sizeof statistics;
  for (int i = 0; i < 4; ++i) {
    fulcrum_feed_t *other = i < 3 ? no_feed[i] : (fulcrum_feed_t *)rt;
    CHECK_STATUS(fulcrum_feed_push(other, values, VALUES, 0), FULCRUM_ERR_HANDLE);
    CHECK_STATUS(fulcrum_feed_draw(other, 1, values, &label), FULCRUM_ERR_HANDLE);
    CHECK_STATUS(fulcrum_feed_statistics(other, &statistics), FULCRUM_ERR_HANDLE);
    fulcrum_feed_close(other);
  }
  CHECK_STATUS(fulcrum_feed_push(feed, NULL, VALUES, 0), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_feed_push(feed, values, VALUES - 1, 0), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_feed_push(feed, odd, VALUES, 0), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_feed_draw(feed, 0, values, &label), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_feed_draw(feed, 9, values, &label), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_feed_draw(feed, 1, NULL, &label), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_feed_draw(feed, 1, values, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_feed_statistics(feed, NULL), FULCRUM_ERR_ARGUMENT);
  statistics.size = 79;
  CHECK_STATUS(fulcrum_feed_statistics(feed, &statistics), FULCRUM_ERR_SIZE);
  CHECK(statistics_of(feed).taken == 0 && statistics_of(feed).dry == 0);
  fulcrum_close(rt);
  fulcrum_feed_close(feed);
}

/* A training job whose first piece draws a minibatch and whose second one ends the step. */
static int32_t draw_and_step(void *user, uint32_t piece, float *loss) {
  float values[4 * VALUES];
  int64_t labels[4];
  if (piece == 1) {
    *loss = 1.0f;
    return FULCRUM_PIECE_STEPPED;
  }
  switch (fulcrum_feed_draw((fulcrum_feed_t *)user, 4, values, labels)) {
    case FULCRUM_OK:
      return FULCRUM_PIECE_RAN;
    case FULCRUM_EMPTY:
      return FULCRUM_PIECE_DRY;
    default:
      return -1;
  }
}

static void a_training_callback_waits_for_data_and_trains_when_some_is_pushed(void) {
  fulcrum_feed_t *feed = feed_of(good_feed());
  fulcrum_runtime_t *rt = opened();
  fulcrum_job_t job = good_job();
  fulcrum_job_statistics_t of_job;
  uint32_t number = 99;
  job.run_piece = draw_and_step;
  job.user = feed;
  memset(&of_job, 0, sizeof of_job);
  of_job.size = sizeof of_job;
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, NULL), FULCRUM_OK);
  for (int naps = 0; of_job.dry < 2; ++naps) {
    CHECK(naps < 20000);
    nap();
    CHECK_STATUS(fulcrum_job_statistics(rt, number, &of_job), FULCRUM_OK);
  }
  CHECK(of_job.steps == 0);
  for (int64_t label = 0; label < 4; ++label) push(feed, label);
  for (int naps = 0; of_job.steps < 5; ++naps) {
    CHECK(naps < 20000);
    nap();
    CHECK_STATUS(fulcrum_job_statistics(rt, number, &of_job), FULCRUM_OK);
  }
  CHECK(of_job.failures == 0);
  fulcrum_close(rt);
  CHECK(statistics_of(feed).stalls == 1 && statistics_of(feed).draws >= 5);
  fulcrum_feed_close(feed);
}

int main(void) {
  RUN(what_is_pushed_is_drawn_whole);
  RUN(a_sample_too_many_is_turned_away_and_counted);
  RUN(classes_have_shares_and_other_labels_are_refused);
  RUN(a_feed_that_makes_no_sense_is_refused);
  RUN(every_mistake_in_a_call_is_answered_and_changes_nothing);
  RUN(a_training_callback_waits_for_data_and_trains_when_some_is_pushed);
  return 0;
}
