//! A synthetic camera: one small shape moves through the picture, and the light changes. Everything follows from a seed.

/// Width and height of a frame, in pixels.
pub(crate) const SIDE: usize = 32;

/// Pixels of a frame: one row of the network's input, values about 0 to 1.
pub(crate) const PIXELS: usize = SIDE * SIDE;

/// What there is to see; the label is the place in this list.
pub(crate) const SHAPES: [&str; 8] = [
    "disc", "square", "triangle", "plus", "ring", "bar", "cross", "frame",
];

/// How the scene is lit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Light {
    /// Bright shapes before a dark background.
    Day,
    /// Against a low sun: the background shines almost as brightly as the shapes, more on one side.
    Glare,
}

/// Frames that one shape stays in view.
const STAY: u32 = 2;

/// A random sequence (SplitMix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.next() >> 40) as f32 / (1_u64 << 24) as f32;
        low + (high - low) * unit
    }
}

/// Where the shape is and how it moves.
#[derive(Clone, Copy, Debug)]
struct Scene {
    shape: usize,
    x: f32,
    y: f32,
    dx: f32,
    dy: f32,
    radius: f32,
    angle: f32,
    turn: f32,
}

/// Makes frames, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Camera {
    random: Random,
    scene: Scene,
    left: u32,
}

impl Camera {
    /// A camera whose every frame follows from `seed`.
    pub(crate) fn new(seed: u64) -> Camera {
        let mut random = Random(seed);
        let scene = arrange(&mut random);
        Camera {
            random,
            scene,
            left: STAY,
        }
    }

    /// Draws the next frame into `pixels` ([`PIXELS`] values, row by row) and returns its label.
    pub(crate) fn frame(&mut self, light: Light, pixels: &mut [f32]) -> usize {
        if self.left == 0 {
            self.scene = arrange(&mut self.random);
            self.left = STAY;
        }
        self.left -= 1;
        let scene = self.scene;
        let (sin, cos) = scene.angle.sin_cos();
        let (background, foreground, slope, noise) = match light {
            Light::Day => (0.15, self.random.between(0.75, 0.95), 0.0, 0.06),
            Light::Glare => (0.5, self.random.between(0.9, 1.1), 0.2, 0.06),
        };
        for (row, line) in pixels.chunks_exact_mut(SIDE).enumerate() {
            for (column, pixel) in line.iter_mut().enumerate() {
                let (u, v) = (
                    (column as f32 - scene.x) / scene.radius,
                    (row as f32 - scene.y) / scene.radius,
                );
                let inside = coverage(scene.shape, u * cos + v * sin, v * cos - u * sin, scene.radius);
                let sky = background + slope * (column as f32 / (SIDE - 1) as f32 - 0.5);
                let grain = noise * (self.random.between(-1.0, 1.0) + self.random.between(-1.0, 1.0));
                *pixel = sky + (foreground - sky) * inside + grain;
            }
        }
        self.scene.x += scene.dx;
        self.scene.y += scene.dy;
        self.scene.angle += scene.turn;
        scene.shape
    }
}

/// Varies a frame to train on: mirrored or not, and moved by up to three pixels (what leaves on one side comes back on the
/// other). Every shape stays what it is, so a few seconds of frames teach as much as more of them would.
pub(crate) fn vary(random: &mut Random, pixels: &mut [f32]) {
    const FAR: u64 = 3;
    let mut seen = [0.0; PIXELS];
    for (place, pixel) in seen.iter_mut().zip(pixels.iter()) {
        *place = *pixel;
    }
    let mirrored = random.next() & 1 == 1;
    let mut distance = || SIDE + (random.next() % (2 * FAR + 1)) as usize - FAR as usize;
    let (right, down) = (distance(), distance());
    for (row, line) in pixels.chunks_exact_mut(SIDE).enumerate() {
        for (column, pixel) in line.iter_mut().enumerate() {
            let from = (column + right) % SIDE;
            let from = if mirrored { SIDE - 1 - from } else { from };
            *pixel = seen
                .get((row + down) % SIDE * SIDE + from)
                .copied()
                .unwrap_or(0.0);
        }
    }
}

/// Minibatches of fresh frames by day.
pub(crate) fn day_minibatches(seed: u64) -> impl FnMut(&mut [f32], &mut [i64]) -> bool + Send {
    let mut camera = Camera::new(seed);
    move |x, y| {
        for (row, label) in x.chunks_exact_mut(PIXELS).zip(y) {
            *label = camera.frame(Light::Day, row) as i64;
        }
        true
    }
}

fn arrange(random: &mut Random) -> Scene {
    let radius = random.between(6.5, 9.0);
    Scene {
        shape: (random.next() % SHAPES.len() as u64) as usize,
        x: random.between(radius + 1.0, SIDE as f32 - radius - 2.0),
        y: random.between(radius + 1.0, SIDE as f32 - radius - 2.0),
        dx: random.between(-1.0, 1.0),
        dy: random.between(-1.0, 1.0),
        radius,
        angle: random.between(-0.25, 0.25),
        turn: random.between(-0.05, 0.05),
    }
}

/// How much of the pixel at (`u`, `v`), in radii from the centre, the shape covers: 0 to 1 over the width of a pixel.
fn coverage(shape: usize, u: f32, v: f32, radius: f32) -> f32 {
    let box_edge = |width: f32, height: f32| (u.abs() - width).max(v.abs() - height);
    let edge = match shape {
        0 => u.hypot(v) - 0.9,
        1 => box_edge(0.75, 0.75),
        2 => (v - 0.7).max(u.abs() * 0.87 - (v + 0.9) * 0.5),
        3 => box_edge(0.25, 0.9).min(box_edge(0.9, 0.25)),
        4 => (u.hypot(v) - 0.7).abs() - 0.22,
        5 => box_edge(1.0, 0.28),
        6 => ((u + v).abs().min((u - v).abs()) * 0.71 - 0.22).max(box_edge(0.8, 0.8)),
        _ => (u.abs().max(v.abs()) - 0.72).abs() - 0.18,
    };
    (0.5 - edge * radius).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_frames() {
        let (mut one, mut two) = (Camera::new(7), Camera::new(7));
        let (mut left, mut right) = ([0.0; PIXELS], [0.0; PIXELS]);
        for _ in 0..20 {
            assert_eq!(
                one.frame(Light::Day, &mut left),
                two.frame(Light::Day, &mut right)
            );
            assert_eq!(left, right);
        }
    }

    #[test]
    fn every_shape_is_seen_and_covers_a_part_of_the_picture() {
        let mut camera = Camera::new(1);
        let mut seen = [0; SHAPES.len()];
        let mut pixels = [0.0; PIXELS];
        for _ in 0..600 {
            let label = camera.frame(Light::Day, &mut pixels);
            let bright = pixels.iter().filter(|pixel| **pixel > 0.5).count();
            assert!(
                (20..500).contains(&bright),
                "{}: {bright} bright pixels",
                SHAPES[label]
            );
            seen[label] += 1;
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
    }

    #[test]
    fn a_varied_frame_has_the_same_pixels_in_other_places() {
        let mut frame = [0.0; PIXELS];
        Camera::new(5).frame(Light::Day, &mut frame);
        let mut varied = frame;
        vary(&mut Random(9), &mut varied);
        assert_ne!(frame, varied);
        frame.sort_by(f32::total_cmp);
        varied.sort_by(f32::total_cmp);
        assert_eq!(frame, varied);
    }

    #[test]
    fn glare_lifts_the_background_and_leaves_the_shapes_bright() {
        let (mut day, mut evening) = ([0.0; PIXELS], [0.0; PIXELS]);
        let label = Camera::new(3).frame(Light::Day, &mut day);
        assert_eq!(Camera::new(3).frame(Light::Glare, &mut evening), label);
        let background = |frame: &[f32]| {
            let dark = day.iter().zip(frame).filter(|(day, _)| **day < 0.3);
            let (sum, count) = dark.fold((0.0, 0), |(sum, count), (_, it)| (sum + it, count + 1));
            sum / count as f32
        };
        assert!(background(&day) < 0.2 && background(&evening) > 0.4);
        let bright = day.iter().zip(&evening).filter(|(day, _)| **day > 0.7);
        assert!(bright.clone().count() > 10 && bright.into_iter().all(|(_, it)| *it > 0.7));
    }
}
