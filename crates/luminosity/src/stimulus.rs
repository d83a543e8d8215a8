//! Batches of images under variable luminosity.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};

use crate::data::{PIXELS, Split};

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, PIXELS]`, in 0..=1.
    pub x: Tensor<2>,
    /// `[batch]`
    pub labels: Tensor<1, Int>,
}

/// The images at `indices`, each with a luminosity of its own: x ← clamp(x + u, 0, 1), u ~ U(−ε, ε).
///
/// # Panics
///
/// If an index lies outside of the split.
pub fn batch(
    split: &Split,
    indices: &[usize],
    epsilon: f64,
    rng: &mut impl Rng,
    device: &Device,
) -> Batch {
    let mut pixels = Vec::with_capacity(indices.len() * PIXELS);
    for &index in indices {
        let shift = ((2.0 * rng.random::<f64>() - 1.0) * epsilon) as f32;
        let brightness = |&pixel: &u8| (f32::from(pixel) / 255.0 + shift).clamp(0.0, 1.0);
        pixels.extend(split.image(index).iter().map(brightness));
    }
    let labels: Vec<i32> = indices.iter().map(|&i| i32::from(split.label(i))).collect();
    let shape = [indices.len(), PIXELS];
    Batch {
        x: Tensor::from_data(TensorData::new(pixels, shape), device),
        labels: Tensor::from_data(TensorData::new(labels, [indices.len()]), device),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};

    fn split() -> Split {
        let images = (0..3 * PIXELS).map(|i| (i % 256) as u8).collect();
        Split::new(images, vec![4, 5, 6]).unwrap()
    }

    fn pixels(epsilon: f64, indices: &[usize]) -> Vec<f32> {
        let mut rng = generator(1, Purpose::TrainShifts);
        let batch = batch(&split(), indices, epsilon, &mut rng, &Device::flex());
        batch.x.into_data().iter::<f32>().collect()
    }

    #[test]
    fn without_variation_an_image_is_its_bytes_over_255() {
        let found = pixels(0.0, &[2, 0]);
        let split = split();
        let expected = split.image(2).iter().chain(split.image(0));
        assert_eq!(found.len(), 2 * PIXELS);
        for (found, byte) in found.iter().zip(expected) {
            assert_eq!(*found, f32::from(*byte) / 255.0);
        }
    }

    #[test]
    fn each_image_is_shifted_by_one_number_and_clamped() {
        let (plain, shifted) = (pixels(0.0, &[0, 1]), pixels(0.75, &[0, 1]));
        let shift_of = |image: usize| {
            let range = image * PIXELS..(image + 1) * PIXELS;
            let pairs = plain[range.clone()].iter().zip(&shifted[range]);
            let inside = pairs.clone().filter(|(_, s)| **s > 0.0 && **s < 1.0);
            let shifts: Vec<f32> = inside.map(|(p, s)| s - p).collect();
            assert!(!shifts.is_empty());
            for s in &shifts {
                assert!((s - shifts[0]).abs() < 1e-6);
            }
            assert!(pairs.clone().all(|(_, s)| (0.0..=1.0).contains(s)));
            shifts[0]
        };
        let (a, b) = (shift_of(0), shift_of(1));
        assert!(a.abs() <= 0.75 && b.abs() <= 0.75);
        assert!((a - b).abs() > 1e-4, "every image has a shift of its own");
    }

    #[test]
    fn labels_go_with_their_images() {
        let mut rng = generator(1, Purpose::TrainShifts);
        let batch = batch(&split(), &[2, 0], 0.5, &mut rng, &Device::flex());
        let labels: Vec<i64> = batch.labels.into_data().iter::<i64>().collect();
        assert_eq!(labels, [6, 4]);
    }
}
