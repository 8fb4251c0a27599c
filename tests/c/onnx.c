/* The ONNX engine through the C ABI: real models, a real ONNX Runtime. Paths are those of the repository, from where
 * cargo runs tests. Compiles as C11 and as C++17. */

#include "check.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#define INFER "tests/fixtures/tiny_infer.onnx"
#define STEP "tests/fixtures/tiny_step.onnx"
#define WEIGHTS "tests/fixtures/tiny_weights.onnx"

enum { ROW = 64, CLASSES = 3, SAMPLES = 8 };

/* Each class has its own stripe. */
static void stripe(uint64_t number, float *row) {
  for (uint32_t i = 0; i < ROW; ++i) row[i] = i * CLASSES / ROW == number % CLASSES ? 1.0f : 0.1f;
}

static int32_t input(void *user, const fulcrum_request_t *request, float *row, uint32_t values) {
  CHECK(values == ROW);
  if (user != NULL && *(const int32_t *)user != 0) return *(const int32_t *)user;
  stripe(request->token, row);
  return 0;
}

/* The answer is the row's largest output and a mark that it was made here. */
static uint64_t output(void *user, const fulcrum_request_t *request, const float *row, uint32_t values) {
  uint64_t largest = 0;
  (void)user;
  (void)request;
  for (uint32_t i = 1; i < values; ++i)
    if (row[i] > row[largest]) largest = i;
  return largest + 1000;
}

static int32_t fetch(void *user, uint32_t samples, float *x, void *y) {
  uint32_t *fetched = (uint32_t *)user;
  int64_t *labels = (int64_t *)y;
  for (uint32_t i = 0; i < samples; ++i) {
    stripe(*fetched, x + i * ROW);
    labels[i] = *fetched % CLASSES;
    ++*fetched;
  }
  return FULCRUM_OK;
}

static int32_t fetch_nothing(void *user, uint32_t samples, float *x, void *y) {
  (void)user;
  (void)samples;
  (void)x;
  (void)y;
  return FULCRUM_EMPTY;
}

static fulcrum_onnx_engine_t *engine_opened(void) {
  fulcrum_onnx_engine_t *engine = NULL;
  fulcrum_error_t error;
  const fulcrum_status_t status = fulcrum_onnx_engine_open(NULL, &engine, &error);
  if (status != FULCRUM_OK) fprintf(stderr, "%s\n", error.text);
  CHECK_STATUS(status, FULCRUM_OK);
  return engine;
}

static fulcrum_onnx_model_config_t good_model(void) {
  fulcrum_onnx_model_config_t config;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.model = INFER;
  config.weights = WEIGHTS;
  config.input = input;
  config.row = ROW;
  config.outputs = CLASSES;
  return config;
}

static fulcrum_onnx_trainer_config_t good_trainer(void) {
  fulcrum_onnx_trainer_config_t config;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.row = ROW;
  config.step = STEP;
  config.weights = WEIGHTS;
  config.lr = 0.01f;
  return config;
}

static fulcrum_feed_t *feed_opened(void) {
  fulcrum_feed_config_t config;
  fulcrum_feed_t *feed = NULL;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.values = ROW;
  config.capacity = 64;
  CHECK_STATUS(fulcrum_feed_open(&config, &feed, NULL), FULCRUM_OK);
  return feed;
}

static void pushed(fulcrum_feed_t *feed, uint64_t from, uint64_t to) {
  float row[ROW];
  for (; from < to; ++from) {
    stripe(from, row);
    CHECK_STATUS(fulcrum_feed_push(feed, row, ROW, (int64_t)(from % CLASSES)), FULCRUM_OK);
  }
}

static void an_engine_says_its_version_and_what_became_of_every_provider(void) {
  const fulcrum_option_t options[2] = {{"device_id", "0"}, {"trt_fp16_enable", "1"}};
  const fulcrum_provider_t providers[2] = {{FULCRUM_PROVIDER_TENSORRT, 2, options},
                                           {FULCRUM_PROVIDER_CUDA, 1, options}};
  const uint32_t cpus[1] = {0};
  fulcrum_onnx_engine_config_t config;
  fulcrum_onnx_engine_info_t info;
  fulcrum_provider_report_t report;
  fulcrum_onnx_engine_t *engine = NULL;
  memset(&config, 0, sizeof config);
  config.size = sizeof config;
  config.providers = providers;
  config.provider_count = 2;
  config.threads = 2;
  config.cpus = cpus;
  config.cpu_count = 1;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, NULL), FULCRUM_OK);
  info.size = sizeof info;
  CHECK_STATUS(fulcrum_onnx_engine_info(engine, &info), FULCRUM_OK);
  CHECK(info.provider_count == 3 && info.version[0] == '1');
  report.size = sizeof report;
  /* The library of this test has neither, and says so in a status of its own: no crash, no failed open. */
  for (uint32_t i = 0; i < 2; ++i) {
    CHECK_STATUS(fulcrum_onnx_engine_provider(engine, i, &report), FULCRUM_OK);
    CHECK(report.provider == providers[i].provider);
    CHECK(report.standing == FULCRUM_PROVIDER_NOT_BUILT && strlen(report.text) > 10);
  }
  CHECK_STATUS(fulcrum_onnx_engine_provider(engine, 2, &report), FULCRUM_OK);
  CHECK(report.provider == FULCRUM_PROVIDER_CPU && report.standing == FULCRUM_PROVIDER_ACTIVE);
  CHECK_STATUS(fulcrum_onnx_engine_provider(engine, 3, &report), FULCRUM_EMPTY);
  CHECK_STATUS(fulcrum_onnx_engine_info(NULL, &info), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_onnx_engine_info(engine, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_engine_provider(engine, 0, NULL), FULCRUM_ERR_ARGUMENT);
  report.size = 0;
  CHECK_STATUS(fulcrum_onnx_engine_provider(engine, 0, &report), FULCRUM_ERR_SIZE);
  fulcrum_onnx_engine_close(engine);
}

static void an_engine_that_cannot_be_had_is_a_status(void) {
  fulcrum_onnx_engine_config_t config;
  fulcrum_provider_t provider;
  fulcrum_option_t option = {NULL, "1"};
  fulcrum_onnx_engine_t *engine = NULL;
  fulcrum_error_t error;
  memset(&config, 0, sizeof config);
  memset(&provider, 0, sizeof provider);
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_SIZE);
  config.size = sizeof config;
  config.library = "/nowhere/libonnxruntime.so";
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ONNX_MISSING);
  CHECK(error.code == FULCRUM_ERR_ONNX_MISSING && strstr(error.text, "/nowhere/") != NULL);
  config.library = "tests/c/onnx.c";
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ONNX_MISSING);
  config.library = "";
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_PATH);
  config.library = NULL;
  config.threads = 33;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ARGUMENT);
  config.threads = 0;
  config.priority = 100;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ARGUMENT);
  config.priority = 0;
  config.flags = 2;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_TOO_NEW);
  config.flags = 0;
  config.cpu_count = 1;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ARGUMENT);
  config.cpu_count = 0;
  config.provider_count = 1;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ARGUMENT);
  config.providers = &provider;
  provider.provider = 7;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_TOO_NEW);
  provider.provider = FULCRUM_PROVIDER_CUDA;
  provider.option_count = 1;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ARGUMENT);
  provider.options = &option;
  CHECK_STATUS(fulcrum_onnx_engine_open(&config, &engine, &error), FULCRUM_ERR_ARGUMENT);
  CHECK(engine == NULL);
  CHECK_STATUS(fulcrum_onnx_engine_open(NULL, NULL, &error), FULCRUM_ERR_ARGUMENT);
  fulcrum_onnx_engine_close(NULL);
}

static void a_model_that_cannot_be_had_is_a_status_and_the_next_attempt_may_succeed(void) {
  fulcrum_onnx_engine_t *engine = engine_opened();
  fulcrum_onnx_model_config_t config = good_model();
  fulcrum_onnx_model_t *model = NULL;
  fulcrum_error_t error;
#define MODEL_IS(wanted) CHECK_STATUS(fulcrum_onnx_model_open(engine, &config, &model, &error), wanted)
  CHECK_STATUS(fulcrum_onnx_model_open(NULL, &config, &model, &error), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_onnx_model_open(engine, NULL, &model, &error), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_model_open(engine, &config, NULL, &error), FULCRUM_ERR_ARGUMENT);
  config.size = 8;
  MODEL_IS(FULCRUM_ERR_SIZE);
  config = good_model();
  config.model = NULL;
  MODEL_IS(FULCRUM_ERR_ARGUMENT);
  config.model = "/nowhere/net.onnx";
  MODEL_IS(FULCRUM_ERR_MODEL_FILE);
  CHECK(error.os_errno == ENOENT && strstr(error.text, "/nowhere/net.onnx") != NULL);
  config.model = "tests/c/onnx.c";
  MODEL_IS(FULCRUM_ERR_ONNX_REFUSED);
  config.model = STEP;
  MODEL_IS(FULCRUM_ERR_MODEL);
  config = good_model();
  config.weights = "tests/c/onnx.c";
  MODEL_IS(FULCRUM_ERR_MODEL);
  config.weights = NULL;
  MODEL_IS(FULCRUM_ERR_MODEL);
  config = good_model();
  config.row = ROW + 1;
  MODEL_IS(FULCRUM_ERR_MODEL);
  CHECK(strstr(error.text, "`x`") != NULL);
  config.row = 0;
  MODEL_IS(FULCRUM_ERR_ARGUMENT);
  config = good_model();
  config.outputs = CLASSES - 1;
  MODEL_IS(FULCRUM_ERR_MODEL);
  config = good_model();
  config.minibatch = 65;
  MODEL_IS(FULCRUM_ERR_ARGUMENT);
  config = good_model();
  config.input = NULL;
  MODEL_IS(FULCRUM_ERR_ARGUMENT);
  config = good_model();
  config.flags = 4;
  MODEL_IS(FULCRUM_ERR_TOO_NEW);
  config.flags = FULCRUM_ONNX_LOCK_MEMORY;
  MODEL_IS(FULCRUM_ERR_ARGUMENT);
  config.flags = 0;
  config.memory_bytes = 64;
  MODEL_IS(FULCRUM_ERR_ONNX_MEMORY);
  CHECK(model == NULL);
  config.memory_bytes = 1 << 20;
  MODEL_IS(FULCRUM_OK);
  fulcrum_onnx_model_close(model);
  fulcrum_onnx_model_close(NULL);
  fulcrum_onnx_engine_close(engine);
}

static void a_model_answers_by_its_callbacks_alone_and_an_input_can_say_no(void) {
  fulcrum_onnx_engine_t *engine = engine_opened();
  fulcrum_onnx_model_config_t config = good_model();
  fulcrum_onnx_model_t *model = NULL, *marked = NULL;
  fulcrum_request_t requests[4];
  fulcrum_stream_t stream = good_stream();
  uint64_t answers[4], others[4];
  int32_t refusal = 0;
  memset(requests, 0, sizeof requests);
  for (uint32_t i = 0; i < 4; ++i) requests[i].token = i;
  config.minibatch = 3;
  config.user = &refusal;
  CHECK_STATUS(fulcrum_onnx_model_open(engine, &config, &model, NULL), FULCRUM_OK);
  config.output = output;
  CHECK_STATUS(fulcrum_onnx_model_open(engine, &config, &marked, NULL), FULCRUM_OK);
  fulcrum_onnx_engine_close(engine);
  CHECK_STATUS(fulcrum_onnx_model_stream(model, &stream), FULCRUM_OK);
  CHECK(stream.run == fulcrum_onnx_model_run && stream.user == model && stream.apply == NULL);
  CHECK(stream.minibatch == 3 && stream.cost_ns > 0 && stream.memory_bytes > 0);
  CHECK(stream.period_ns == 100 * MS && strcmp(stream.name, "camera") == 0);
  stream.size = 80;
  CHECK_STATUS(fulcrum_onnx_model_stream(model, &stream), FULCRUM_ERR_SIZE);
  CHECK_STATUS(fulcrum_onnx_model_stream(NULL, &stream), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_onnx_model_stream(model, NULL), FULCRUM_ERR_ARGUMENT);

  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, 3, answers), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_model_run(marked, requests, 3, others), FULCRUM_OK);
  for (uint32_t i = 0; i < 3; ++i) CHECK(answers[i] < CLASSES && others[i] == answers[i] + 1000);
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, 4, answers), FULCRUM_ERR_UNPREPARED);
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, 0, answers), FULCRUM_ERR_UNPREPARED);
  CHECK_STATUS(fulcrum_onnx_model_run(NULL, requests, 1, answers), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_onnx_model_run(model, NULL, 1, answers), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, 1, NULL), FULCRUM_ERR_ARGUMENT);
  refusal = 17;
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, 1, answers), 17);
  refusal = -17;
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, 1, answers), FULCRUM_ERR_NO_DATA);
  refusal = 0;
  /* Without FULCRUM_ONNX_SWAPS there is one set, whatever is applied. */
  fulcrum_onnx_model_apply(model, 2, 9);
  fulcrum_onnx_model_apply(NULL, 0, 0);
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, 1, answers), FULCRUM_OK);
  fulcrum_onnx_model_close(model);
  fulcrum_onnx_model_close(marked);
}

static void a_trainer_that_cannot_be_had_is_a_status_and_the_next_attempt_may_succeed(void) {
  fulcrum_onnx_engine_t *engine = engine_opened();
  fulcrum_onnx_model_config_t model_config = good_model();
  fulcrum_onnx_trainer_config_t config = good_trainer();
  fulcrum_onnx_model_t *fixed = NULL, *model = NULL;
  fulcrum_onnx_trainer_t *trainer = NULL, *second = NULL;
  fulcrum_feed_t *feed = feed_opened();
  fulcrum_error_t error;
  CHECK_STATUS(fulcrum_onnx_model_open(engine, &model_config, &fixed, NULL), FULCRUM_OK);
  model_config.flags = FULCRUM_ONNX_SWAPS;
  CHECK_STATUS(fulcrum_onnx_model_open(engine, &model_config, &model, NULL), FULCRUM_OK);
#define TRAINER_IS(model, wanted) \
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, model, &config, &trainer, &error), wanted)
  TRAINER_IS(NULL, FULCRUM_ERR_ARGUMENT);
  CHECK(strstr(error.text, "config.feed") != NULL);
  config.feed = feed;
  CHECK_STATUS(fulcrum_onnx_trainer_open(NULL, NULL, &config, &trainer, &error), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, NULL, NULL, &trainer, &error), FULCRUM_ERR_ARGUMENT);
  TRAINER_IS(fixed, FULCRUM_ERR_ARGUMENT);
  config.feed = NULL;
  config.fetch = fetch_nothing;
  TRAINER_IS(model, FULCRUM_ERR_ARGUMENT);
  config = good_trainer();
  config.feed = (fulcrum_feed_t *)engine;
  TRAINER_IS(NULL, FULCRUM_ERR_HANDLE);
  config.feed = feed;
  TRAINER_IS((fulcrum_onnx_model_t *)engine, FULCRUM_ERR_HANDLE);
  config.lr = NAN;
  TRAINER_IS(NULL, FULCRUM_ERR_ARGUMENT);
  config.lr = 0.01f;
  config.row = ROW - 1;
  TRAINER_IS(NULL, FULCRUM_ERR_ARGUMENT);
  config = good_trainer();
  config.feed = feed;
  config.reserved = 1;
  TRAINER_IS(NULL, FULCRUM_ERR_TOO_NEW);
  config.reserved = 0;
  config.flags = FULCRUM_ONNX_SWAPS;
  TRAINER_IS(NULL, FULCRUM_ERR_TOO_NEW);
  config.flags = 0;
  config.weights = NULL;
  TRAINER_IS(NULL, FULCRUM_ERR_ARGUMENT);
  config.weights = WEIGHTS;
  config.step = "/nowhere/step.onnx";
  TRAINER_IS(NULL, FULCRUM_ERR_MODEL_FILE);
  config.step = INFER;
  TRAINER_IS(NULL, FULCRUM_ERR_MODEL);
  config.step = STEP;
  config.judged = 65;
  TRAINER_IS(model, FULCRUM_ERR_ARGUMENT);
  config.judged = 0;
  config.held_out = 1;
  TRAINER_IS(model, FULCRUM_ERR_ARGUMENT);
  config.held_out = UINT32_MAX;
  TRAINER_IS(model, FULCRUM_ERR_ARGUMENT);
  config.held_out = 0;
  config.memory_bytes = 64;
  TRAINER_IS(model, FULCRUM_ERR_ONNX_MEMORY);
  CHECK(trainer == NULL);
  config.memory_bytes = 0;
  /* What was refused holds nothing out any more. */
  TRAINER_IS(model, FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, model, &config, &second, &error), FULCRUM_ERR_ARGUMENT);
  CHECK(strstr(error.text, "another trainer") != NULL);
  fulcrum_onnx_trainer_close(trainer);
  TRAINER_IS(model, FULCRUM_OK);
  fulcrum_onnx_trainer_close(trainer);
  fulcrum_onnx_trainer_close(NULL);
  fulcrum_onnx_model_close(fixed);
  fulcrum_onnx_model_close(model);
  fulcrum_feed_close(feed);
  fulcrum_onnx_engine_close(engine);
}

/* Runs whole steps by the callbacks of `job`; hands back the last loss. */
static float steps_of(const fulcrum_job_t *job, uint32_t steps) {
  float loss = 0;
  for (uint32_t step = 0; step < steps; ++step)
    for (uint32_t piece = 0; piece < job->piece_count; ++piece)
      CHECK_STATUS(job->run_piece(job->user, piece, &loss),
                   piece + 1 < job->piece_count ? FULCRUM_PIECE_RAN : FULCRUM_PIECE_STEPPED);
  return loss;
}

static void a_trainer_runs_by_its_callbacks_alone_and_refuses_what_is_out_of_order(void) {
  fulcrum_onnx_engine_t *engine = engine_opened();
  fulcrum_onnx_trainer_config_t config = good_trainer();
  fulcrum_onnx_trainer_t *trainer = NULL;
  fulcrum_job_t job = good_job();
  fulcrum_score_t score = {0, 0, 0};
  fulcrum_error_t error;
  uint32_t fetched = 0;
  float first, loss = 0;
  char path[64];
  config.fetch = fetch;
  config.user = &fetched;
  config.fetch_rows = SAMPLES / 2;
  config.piece_ns = 1;
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, NULL, &config, &trainer, NULL), FULCRUM_OK);
  CHECK(fetched == 0);
  CHECK_STATUS(fulcrum_onnx_trainer_job(trainer, &job), FULCRUM_OK);
  CHECK(job.piece_count > 3 && job.user == trainer && job.memory_bytes > 0 && job.fill == NULL && job.eval == NULL);
  for (uint32_t i = 0; i < job.piece_count; ++i) CHECK(job.piece_ns[i] > 0);
  CHECK(strcmp(job.name, "trainer") == 0 && job.abort == NULL);
  job.size = 40;
  CHECK_STATUS(fulcrum_onnx_trainer_job(trainer, &job), FULCRUM_ERR_SIZE);
  CHECK_STATUS(fulcrum_onnx_trainer_job(NULL, &job), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_onnx_trainer_job(trainer, NULL), FULCRUM_ERR_ARGUMENT);
  first = steps_of(&job, 1);
  CHECK(steps_of(&job, 30) < first && fetched > 30);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 2, &loss), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 70000, &loss), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 0, NULL), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(NULL, 0, &loss), FULCRUM_ERR_HANDLE);
  /* A piece that is told to end before it began is run again, as if it had never started. */
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 0, &loss), FULCRUM_PIECE_RAN);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 1, &loss), FULCRUM_PIECE_RAN);
  fulcrum_onnx_trainer_abort(trainer);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 2, &loss), FULCRUM_PIECE_ABORTED);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 2, &loss), FULCRUM_PIECE_RAN);
  fulcrum_onnx_trainer_abort(NULL);
  CHECK_STATUS(fulcrum_onnx_trainer_fill(trainer, 1, 0), FULCRUM_ERR_NO_FUNCTION);
  CHECK_STATUS(fulcrum_onnx_trainer_eval(trainer, 1, 0, &score), FULCRUM_ERR_NO_FUNCTION);
  snprintf(path, sizeof path, "/tmp/fulcrum-weights-%d.onnx", (int)getpid());
  CHECK_STATUS(fulcrum_onnx_trainer_write(trainer, path, &error), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_write(trainer, "/nowhere/weights.onnx", &error), FULCRUM_ERR_MODEL_FILE);
  CHECK(error.os_errno == ENOENT);
  CHECK_STATUS(fulcrum_onnx_trainer_write(trainer, NULL, &error), FULCRUM_ERR_ARGUMENT);
  fulcrum_onnx_trainer_close(trainer);
  /* Training goes on from what was written. */
  config.weights = path;
  job.size = sizeof job;
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, NULL, &config, &trainer, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_job(trainer, &job), FULCRUM_OK);
  CHECK(steps_of(&job, 1) < first);
  fulcrum_onnx_trainer_close(trainer);
  CHECK(remove(path) == 0);
  config.fetch = fetch_nothing;
  config.weights = WEIGHTS;
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, NULL, &config, &trainer, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_run_piece(trainer, 0, &loss), FULCRUM_PIECE_DRY);
  fulcrum_onnx_trainer_close(trainer);
  fulcrum_onnx_engine_close(engine);
}

static void a_state_goes_out_and_comes_back_part_by_part_and_training_goes_on_bit_for_bit(void) {
  static unsigned char parts[16][1 << 18];
  fulcrum_onnx_engine_t *engine = engine_opened();
  fulcrum_onnx_trainer_config_t config = good_trainer();
  fulcrum_onnx_trainer_t *first = NULL, *second = NULL, *other = NULL;
  fulcrum_job_t job = good_job(), again = good_job(), foreign = good_job();
  uint32_t fetched = 0, count = 0;
  int64_t sizes[16];
  float loss;
  config.fetch = fetch;
  config.user = &fetched;
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, NULL, &config, &first, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, NULL, &config, &second, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_job(first, &job), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_job(second, &again), FULCRUM_OK);
  steps_of(&job, 10);
  for (; (sizes[count] = job.save(first, count, NULL, 0)) > 0; ++count) {
    CHECK(count < 15 && job.save(first, count, parts[count], sizeof parts[count]) == sizes[count]);
  }
  CHECK(count >= 2 && sizes[count] == 0 && job.save(first, 70000, NULL, 0) == -FULCRUM_ERR_ARGUMENT);
  CHECK(job.save(first, 0, NULL, 8) == -FULCRUM_ERR_ARGUMENT && job.save(NULL, 0, NULL, 0) == -FULCRUM_ERR_HANDLE);
  CHECK_STATUS(again.load(second, 0, parts[0], (uint64_t)sizes[0] - 8), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(again.load(second, 1, parts[1], (uint64_t)sizes[1] - 1), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(again.load(second, count, parts[1], 8), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(again.load(second, 0, NULL, 8), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_trainer_rate(NULL, 0.1f), FULCRUM_ERR_HANDLE);
  CHECK_STATUS(fulcrum_onnx_trainer_rate(second, 0), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_trainer_rate(second, NAN), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(fulcrum_onnx_trainer_rate(first, 0.003f), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_rate(second, 0.003f), FULCRUM_OK);
  for (uint32_t part = 0; part < count; ++part)
    CHECK_STATUS(again.load(second, part, parts[part], (uint64_t)sizes[part]), FULCRUM_OK);
  fetched = 0;
  loss = steps_of(&job, 20);
  fetched = 0;
  CHECK(steps_of(&again, 20) == loss);
  /* Another graph's state. */
  config.row = 1024;
  config.step = "tests/fixtures/shapes_step.onnx";
  config.weights = "tests/fixtures/shapes_day.onnx";
  config.fetch = fetch_nothing;
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, NULL, &config, &other, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_job(other, &foreign), FULCRUM_OK);
  CHECK_STATUS(foreign.load(other, 0, parts[0], (uint64_t)sizes[0]), FULCRUM_ERR_ARGUMENT);
  fulcrum_onnx_trainer_close(first);
  fulcrum_onnx_trainer_close(second);
  fulcrum_onnx_trainer_close(other);
  fulcrum_onnx_engine_close(engine);
}

static void weights_go_into_sets_that_do_not_serve_and_are_judged_there(void) {
  fulcrum_onnx_engine_t *engine = engine_opened();
  fulcrum_onnx_model_config_t model_config = good_model();
  fulcrum_onnx_trainer_config_t config = good_trainer();
  fulcrum_onnx_model_t *model = NULL;
  fulcrum_onnx_trainer_t *trainer = NULL;
  fulcrum_feed_t *feed = feed_opened();
  fulcrum_feed_statistics_t counted;
  fulcrum_job_t job = good_job();
  fulcrum_score_t before, after;
  fulcrum_request_t requests[CLASSES];
  uint64_t answers[CLASSES];
  float loss = 0;
  model_config.flags = FULCRUM_ONNX_SWAPS;
  model_config.minibatch = CLASSES;
  CHECK_STATUS(fulcrum_onnx_model_open(engine, &model_config, &model, NULL), FULCRUM_OK);
  config.feed = feed;
  config.held_out_every = 2;
  config.held_out = 8;
  config.judged = 8;
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, model, &config, &trainer, NULL), FULCRUM_OK);
  fulcrum_onnx_engine_close(engine);
  CHECK_STATUS(fulcrum_onnx_trainer_job(trainer, &job), FULCRUM_OK);
  CHECK(job.fill_count > 0 && job.fill_ns > 0 && job.eval_count == 1 && job.eval_ns > 0);
  CHECK_STATUS(job.run_piece(trainer, 0, &loss), FULCRUM_PIECE_DRY);
  pushed(feed, 0, 48);
  steps_of(&job, 60);
  counted.size = sizeof counted;
  CHECK_STATUS(fulcrum_feed_statistics(feed, &counted), FULCRUM_OK);
  CHECK(counted.taken == 24 && counted.turned_away == 0);
  CHECK_STATUS(job.fill(trainer, 3, 0), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(job.fill(trainer, 1, job.fill_count), FULCRUM_ERR_ARGUMENT);
  for (uint32_t part = 0; part < job.fill_count; ++part) CHECK_STATUS(job.fill(trainer, 1, part), FULCRUM_OK);
  CHECK_STATUS(job.eval(trainer, 1, 0, &after), FULCRUM_OK);
  CHECK_STATUS(job.eval(trainer, 0, 0, &before), FULCRUM_OK);
  CHECK(after.samples == 8 && before.samples == 8 && after.loss < before.loss && after.right == 8);
  CHECK_STATUS(job.eval(trainer, 1, 1, &after), FULCRUM_OK);
  CHECK(after.samples == 0);
  CHECK_STATUS(job.eval(trainer, 3, 0, &after), FULCRUM_ERR_ARGUMENT);
  CHECK_STATUS(job.eval(trainer, 1, 0, NULL), FULCRUM_ERR_ARGUMENT);
  fulcrum_onnx_model_apply(model, 1, 1);
  /* The model hears of a revert only with its next minibatch; the set it ran with last may be filled before. */
  CHECK_STATUS(job.fill(trainer, 1, 0), FULCRUM_OK);
  memset(requests, 0, sizeof requests);
  for (uint32_t i = 0; i < CLASSES; ++i) requests[i].token = i;
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, CLASSES, answers), FULCRUM_OK);
  for (uint32_t i = 0; i < CLASSES; ++i) CHECK(answers[i] == i);
  /* No such set: the one in service stays. */
  fulcrum_onnx_model_apply(model, 3, 2);
  CHECK_STATUS(fulcrum_onnx_model_run(model, requests, CLASSES, answers), FULCRUM_OK);
  for (uint32_t i = 0; i < CLASSES; ++i) CHECK(answers[i] == i);
  /* In any order of closing. */
  fulcrum_feed_close(feed);
  fulcrum_onnx_model_close(model);
  steps_of(&job, 1);
  fulcrum_onnx_trainer_close(trainer);
}

static void a_stream_learns_while_it_is_served_and_goes_back_in_one_call(void) {
  fulcrum_onnx_engine_t *engine = engine_opened();
  fulcrum_onnx_model_config_t model_config = good_model();
  fulcrum_onnx_trainer_config_t config = good_trainer();
  fulcrum_onnx_model_t *model = NULL;
  fulcrum_onnx_trainer_t *trainer = NULL;
  fulcrum_feed_t *feed = feed_opened();
  fulcrum_runtime_t *rt = NULL;
  fulcrum_config_t runtime_config;
  fulcrum_stream_t stream = good_stream();
  fulcrum_job_t job = good_job();
  fulcrum_error_t error;
  fulcrum_completion_t last;
  fulcrum_job_statistics_t did;
  fulcrum_checkpoint_t checkpoint;
  fulcrum_checkpoint_statistics_t kept;
  uint32_t number = 9, version = 0, right = 0;
  fulcrum_status_t status;
  char folder[64], command[96];
  memset(&last, 0, sizeof last);
  memset(&checkpoint, 0, sizeof checkpoint);
  snprintf(folder, sizeof folder, "/tmp/fulcrum-onnx-%d", (int)getpid());
  checkpoint.size = sizeof checkpoint;
  checkpoint.folder = folder;
  checkpoint.every = 2;
  model_config.flags = FULCRUM_ONNX_SWAPS;
  CHECK_STATUS(fulcrum_onnx_model_open(engine, &model_config, &model, NULL), FULCRUM_OK);
  config.feed = feed;
  config.piece_ns = 2 * MS;
  CHECK_STATUS(fulcrum_onnx_trainer_open(engine, model, &config, &trainer, NULL), FULCRUM_OK);
  memset(&runtime_config, 0, sizeof runtime_config);
  runtime_config.size = sizeof runtime_config;
  runtime_config.flags = FULCRUM_START_UNFIT;
  CHECK_STATUS(fulcrum_open(&runtime_config, &rt, NULL), FULCRUM_OK);
  stream.period_ns = 10 * MS;
  CHECK_STATUS(fulcrum_onnx_model_stream(model, &stream), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, &error), FULCRUM_OK);
  CHECK_STATUS(fulcrum_onnx_trainer_job(trainer, &job), FULCRUM_OK);
  job.stream = number;
  job.abort = fulcrum_onnx_trainer_abort;
  job.abort_ns = 5 * MS;
  job.checkpoint = &checkpoint;
  status = fulcrum_job_add(rt, &job, &number, &error);
  if (status != FULCRUM_OK) fprintf(stderr, "%s\n", error.text);
  CHECK_STATUS(status, FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, &error), FULCRUM_OK);
  /* Until two sets of weights have served, and 20 answers of the last of them came. */
  for (uint64_t token = 0; token < 4000 && !(last.model_version >= 2 && right >= 20); ++token) {
    float row[ROW];
    stripe(token, row);
    status = fulcrum_feed_push(feed, row, ROW, (int64_t)(token % CLASSES));
    CHECK(status == FULCRUM_OK || status == FULCRUM_ERR_FULL);
    CHECK_STATUS(fulcrum_submit(rt, 0, token, 0), FULCRUM_OK);
    last = next_completion(rt, 0);
    CHECK_STATUS(last.status, FULCRUM_OK);
    if (last.model_version >= 2) right += last.answer == last.token % CLASSES;
    nap();
  }
  CHECK(last.model_version >= 2 && right >= 20);
  CHECK_STATUS(fulcrum_revert(rt, 0, &version), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stop(rt), FULCRUM_OK);
  did.size = sizeof did;
  CHECK_STATUS(fulcrum_job_statistics(rt, 0, &did), FULCRUM_OK);
  CHECK(did.steps >= 8 && did.swaps >= 2);
  kept.size = sizeof kept;
  CHECK_STATUS(fulcrum_checkpoint_statistics(rt, 0, &kept), FULCRUM_OK);
  CHECK(kept.kept >= 1 && kept.newest_steps >= 2 && kept.newest_steps <= did.steps && kept.restored_steps == 0);
  fulcrum_close(rt);
  /* The next program takes up where this one was. */
  CHECK_STATUS(fulcrum_open(&runtime_config, &rt, NULL), FULCRUM_OK);
  CHECK_STATUS(fulcrum_stream_add(rt, &stream, &number, &error), FULCRUM_OK);
  CHECK_STATUS(fulcrum_job_add(rt, &job, &number, &error), FULCRUM_OK);
  CHECK_STATUS(fulcrum_start(rt, &error), FULCRUM_OK);
  did.steps = kept.newest_steps;
  CHECK_STATUS(fulcrum_checkpoint_statistics(rt, 0, &kept), FULCRUM_OK);
  CHECK(kept.restored_steps == did.steps);
  fulcrum_close(rt);
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
  fulcrum_onnx_trainer_close(trainer);
  fulcrum_onnx_model_close(model);
  fulcrum_feed_close(feed);
  fulcrum_onnx_engine_close(engine);
}

int main(void) {
  RUN(an_engine_says_its_version_and_what_became_of_every_provider);
  RUN(an_engine_that_cannot_be_had_is_a_status);
  RUN(a_model_that_cannot_be_had_is_a_status_and_the_next_attempt_may_succeed);
  RUN(a_model_answers_by_its_callbacks_alone_and_an_input_can_say_no);
  RUN(a_trainer_that_cannot_be_had_is_a_status_and_the_next_attempt_may_succeed);
  RUN(a_trainer_runs_by_its_callbacks_alone_and_refuses_what_is_out_of_order);
  RUN(a_state_goes_out_and_comes_back_part_by_part_and_training_goes_on_bit_for_bit);
  RUN(weights_go_into_sets_that_do_not_serve_and_are_judged_there);
  RUN(a_stream_learns_while_it_is_served_and_goes_back_in_one_call);
  return 0;
}
