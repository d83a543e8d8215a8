//! Stimuli: the variation of the brightness of an image between presentations.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{Rng, RngExt};

use crate::catalogue::{Named, entries};
use crate::data::Split;

/// A stimulus of the experiment, by its name on the command line and in records.
pub type Stimulus = Named<StimulusSpec>;

/// The definition of a stimulus: the brightness of an image at each presentation.
#[derive(Debug)]
pub struct StimulusSpec {
    /// The name.
    pub name: &'static str,
    /// A description in a few words.
    pub description: &'static str,
    /// The gain g and the shift s of an image: its pixels p in 0..=1 become clamp(g p + s, 0, 1).
    pub of: fn(Presentation) -> (f64, f64),
}

/// The presentation of one image.
#[derive(Debug, Clone, Copy)]
pub struct Presentation {
    /// The strength ε of the variation, 0 to 1.
    pub epsilon: f64,
    /// A number drawn from U(−ε, ε) for each image.
    pub u: f64,
    /// The elapsed fraction of training, 0 to 1; none in a test.
    pub time: Option<f64>,
}

/// The paper's stimulus: x ← clamp(x + u, 0, 1), u ~ U(−ε, ε) for every image.
pub const LUMINOSITY: Stimulus = Named::built_in(&StimulusSpec {
    name: "luminosity",
    description: "every image is shifted by U(−ε, ε)",
    of: |p| (1.0, p.u),
});

/// x ← clamp((1 + u) x, 0, 1).
pub const CONTRAST: Stimulus = Named::built_in(&StimulusSpec {
    name: "contrast",
    description: "every image is multiplied by 1 + U(−ε, ε)",
    of: |p| (1.0 + p.u, 0.0),
});

/// Luminosity that drifts from dark to bright during training.
pub const DRIFT: Stimulus = Named::built_in(&StimulusSpec {
    name: "drift",
    description: "the shift goes from −ε to ε in the course of training; tests see all of U(−ε, ε)",
    of: |p| {
        let of_time = |time| p.epsilon * (2.0 * time - 1.0);
        (1.0, p.time.map_or(p.u, of_time))
    },
});

impl Default for Stimulus {
    fn default() -> Self {
        LUMINOSITY
    }
}

entries!(StimulusSpec, "stimulus", &[LUMINOSITY, CONTRAST, DRIFT]);

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[batch, pixels]`, in 0..=1.
    pub x: Tensor<2>,
    /// `[batch]`
    pub labels: Tensor<1, Int>,
}

/// An image in a presentation: its pixels p in 0..=1 become clamp(gain p + shift, 0, 1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Presented {
    /// Its index in the split.
    pub index: usize,
    pub gain: f32,
    pub shift: f32,
}

impl Stimulus {
    /// The presentations of the images at `indices`, in order.
    pub(crate) fn present(
        self,
        indices: &[usize],
        epsilon: f64,
        time: Option<f64>,
        rng: &mut impl Rng,
    ) -> impl Iterator<Item = Presented> {
        indices.iter().map(move |&index| {
            let u = (2.0 * rng.random::<f64>() - 1.0) * epsilon;
            let (gain, shift) = (self.of)(Presentation { epsilon, u, time });
            Presented {
                index,
                gain: gain as f32,
                shift: shift as f32,
            }
        })
    }

    /// The images at `indices` as the stimulus presents them; `time` is the elapsed fraction of training,
    /// none in a test.
    ///
    /// # Panics
    ///
    /// If an index is outside the split.
    pub fn batch(
        self,
        split: &Split,
        indices: &[usize],
        epsilon: f64,
        time: Option<f64>,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Batch {
        let presented = self.present(indices, epsilon, time, rng);
        Images::on_host(split, device).batch(&presented.collect::<Vec<_>>())
    }
}

/// The images of a split in the memory where batches are made.
pub(crate) struct Images<'a> {
    split: &'a Split,
    device: Device,
    /// The images, if the device makes the batches.
    on_device: Option<OnDevice>,
}

/// Images in the memory of a device.
#[derive(Clone)]
pub(crate) struct OnDevice {
    /// The pixels in 0..=1, `[images, pixels]`.
    pixels: Tensor<2>,
    labels: Tensor<1, Int>,
}

/// Presentations of images in the memory of a device.
pub(crate) struct Shown {
    /// `[rows]`
    indices: Tensor<1, Int>,
    /// Gain and shift, `[rows, 2]`.
    brightness: Tensor<2>,
}

impl<'a> Images<'a> {
    /// Batches are made on the host, for `device`.
    pub fn on_host(split: &'a Split, device: &Device) -> Self {
        Self {
            split,
            device: device.clone(),
            on_device: None,
        }
    }

    /// All images are moved to `device`, which makes the batches.
    pub fn moved_to(split: &'a Split, device: &Device) -> Self {
        let pixels = split.images().iter().map(|p| f32::from(*p) / 255.0);
        let pixels = TensorData::new(pixels.collect(), [split.len(), split.pixels()]);
        let on_device = OnDevice {
            pixels: Tensor::from_data(pixels, device),
            labels: labels(split.labels().iter().copied(), device),
        };
        Self {
            on_device: Some(on_device),
            ..Self::on_host(split, device)
        }
    }

    pub fn split(&self) -> &'a Split {
        self.split
    }

    /// The images in the memory of the device, if it makes the batches.
    pub fn on_device(&self) -> Option<&OnDevice> {
        self.on_device.as_ref()
    }

    /// Makes a batch of these presentations.
    ///
    /// # Panics
    ///
    /// If an index is outside the split.
    pub fn batch(&self, presented: &[Presented]) -> Batch {
        if let Some(images) = &self.on_device {
            return images.batch(&Shown::new(presented, &self.device));
        }
        let each = self.split.pixels();
        let mut pixels = Vec::with_capacity(presented.len() * each);
        for Presented { index, gain, shift } in presented {
            let brightness = |&p: &u8| (gain * (f32::from(p) / 255.0) + shift).clamp(0.0, 1.0);
            pixels.extend(self.split.image(*index).iter().map(brightness));
        }
        let shown = presented.iter().map(|p| self.split.label(p.index));
        let shape = [presented.len(), each];
        Batch {
            x: Tensor::from_data(TensorData::new(pixels, shape), &self.device),
            labels: labels(shown, &self.device),
        }
    }
}

impl OnDevice {
    pub fn device(&self) -> Device {
        self.pixels.device()
    }

    /// Makes a batch of these presentations.
    pub fn batch(&self, shown: &Shown) -> Batch {
        let pixels = self.pixels.clone().select(0, shown.indices.clone());
        let column = |k| shown.brightness.clone().narrow(1, k, 1);
        Batch {
            x: (pixels * column(0) + column(1)).clamp(0.0, 1.0),
            labels: self.labels.clone().select(0, shown.indices.clone()),
        }
    }
}

impl Shown {
    pub fn new(presented: &[Presented], device: &Device) -> Self {
        let indices = presented.iter().map(|p| p.index as i32).collect();
        let indices = TensorData::new::<i32, _>(indices, [presented.len()]);
        let brightness = presented.iter().flat_map(|p| [p.gain, p.shift]).collect();
        let brightness = TensorData::new::<f32, _>(brightness, [presented.len(), 2]);
        Self {
            indices: Tensor::from_data(indices, device),
            brightness: Tensor::from_data(brightness, device),
        }
    }

    /// Writes the same number of other presentations into the same memory.
    pub fn write(&mut self, presented: &[Presented]) {
        let new = Self::new(presented, &self.brightness.device());
        let rows = 0..presented.len();
        (self.indices).inplace(|to| to.slice_assign([rows.clone()], new.indices));
        (self.brightness).inplace(|to| to.slice_assign([rows, 0..2], new.brightness));
    }
}

fn labels(labels: impl Iterator<Item = u8>, device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i32> = labels.map(i32::from).collect();
    let shape = [labels.len()];
    Tensor::from_data(TensorData::new(labels, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shape;
    use crate::random::{Purpose, generator};

    const PIXELS: usize = 784;

    fn split() -> Split {
        let images = (0..3 * PIXELS).map(|i| (i % 256) as u8).collect();
        Split::new(Shape::new(1, 28, 28), 10, images, vec![4, 5, 6]).unwrap()
    }

    fn pixels_of(
        stimulus: Stimulus,
        epsilon: f64,
        indices: &[usize],
        time: Option<f64>,
    ) -> Vec<f32> {
        let mut rng = generator(1, Purpose::TrainShifts);
        let device = Device::flex();
        let batch = stimulus.batch(&split(), indices, epsilon, time, &mut rng, &device);
        let labels = batch.labels.into_data();
        let of_images = indices.iter().map(|index| 4 + *index as i64);
        assert!(labels.iter::<i64>().eq(of_images));
        batch.x.into_data().iter::<f32>().collect()
    }

    fn pixels(epsilon: f64, indices: &[usize]) -> Vec<f32> {
        pixels_of(LUMINOSITY, epsilon, indices, None)
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
    fn contrast_multiplies_and_a_drift_goes_from_dark_to_bright() {
        let plain = pixels(0.0, &[0]);
        let ratio = |pixels: &[f32]| {
            let pairs = pixels.iter().zip(&plain).filter(|(p, _)| **p < 1.0);
            let ratios: Vec<f32> = pairs
                .filter(|(_, q)| **q > 0.1)
                .map(|(p, q)| p / q)
                .collect();
            assert!(ratios.iter().all(|r| (r - ratios[0]).abs() < 1e-5));
            ratios[0]
        };
        let gain = ratio(&pixels_of(CONTRAST, 0.5, &[0], None));
        assert!(
            (0.5..1.5).contains(&gain) && (gain - 1.0).abs() > 1e-4,
            "{gain}"
        );
        assert_eq!(ratio(&pixels_of(CONTRAST, 0.0, &[0], None)), 1.0);

        let at = |time| pixels_of(DRIFT, 0.25, &[0], time);
        let shift = |pixels: Vec<f32>| pixels[128] - plain[128];
        assert!((shift(at(Some(0.0))) + 0.25).abs() < 1e-6);
        assert!((shift(at(Some(0.5)))).abs() < 1e-6);
        assert!((shift(at(Some(1.0))) - 0.25).abs() < 1e-6);
        assert_eq!(at(None), pixels(0.25, &[0]), "tests see every luminosity");
    }
}
