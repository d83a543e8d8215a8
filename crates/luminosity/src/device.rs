//! The backends, by name.

use burn::tensor::Device;

use crate::Error;

/// A backend that a run can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// Burn's pure-Rust CPU backend.
    Flex,
    /// The ndarray CPU backend.
    NdArray,
    /// A GPU through wgpu.
    Wgpu,
    /// A GPU through Vulkan.
    Vulkan,
    /// A GPU through Metal.
    Metal,
    /// An NVIDIA GPU.
    Cuda,
    /// An AMD GPU.
    Rocm,
    /// CubeCL's CPU runtime.
    Cpu,
}

impl DeviceName {
    /// All backends in the order of the variants, each with its name.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Flex, "flex"),
        (Self::NdArray, "ndarray"),
        (Self::Wgpu, "wgpu"),
        (Self::Vulkan, "vulkan"),
        (Self::Metal, "metal"),
        (Self::Cuda, "cuda"),
        (Self::Rocm, "rocm"),
        (Self::Cpu, "cpu"),
    ];

    /// The name on the command line and of the Cargo feature.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Whether it computes like a GPU: in f32 only, and with different rounding.
    pub fn is_gpu(self) -> bool {
        !matches!(self, Self::Flex | Self::NdArray)
    }

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// If the backend is not compiled in, or the machine has no such device.
    pub fn open(self) -> Result<Device, Error> {
        let device = match self {
            #[cfg(feature = "flex")]
            Self::Flex => Device::flex(),
            #[cfg(feature = "ndarray")]
            #[allow(deprecated)]
            // Burn drops NdArray in 0.23; the feature goes with it.
            Self::NdArray => Device::ndarray(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::wgpu(Default::default()),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::vulkan(Default::default()),
            #[cfg(feature = "metal")]
            Self::Metal => Device::metal(Default::default()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::cuda(0),
            #[cfg(feature = "rocm")]
            Self::Rocm => Device::rocm(0),
            #[cfg(feature = "cpu")]
            Self::Cpu => Device::cpu(),
            #[allow(unreachable_patterns)] // The features determine the names that are left.
            missing => {
                let name = missing.name().to_owned();
                let problem =
                    format!("this program was built without it; build with --features {name}");
                return Err(Error::Device { name, problem });
            }
        };
        if self.is_gpu() {
            probe(self, &device)?;
        }
        Ok(device)
    }
}

/// Makes one small computation: only then does a missing GPU cause a panic.
fn probe(name: DeviceName, device: &Device) -> Result<(), Error> {
    let result = crate::panics::caught(|| {
        let one = burn::tensor::Tensor::<1>::ones([1], device);
        (one * 2.0).into_scalar::<f32>()
    });
    match result {
        Ok(2.0) => Ok(()),
        _ => Err(Error::Device {
            name: name.name().to_owned(),
            problem: "no such device or driver was found on this machine; flex runs everywhere"
                .to_owned(),
        }),
    }
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for DeviceName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
        let refuse = || Error::usage("device", name, &Self::ALL.map(|(_, name)| name).join(", "));
        found.map(|(device, _)| device).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_is_found_by_its_name() {
        for (device, name) in DeviceName::ALL {
            assert_eq!(device.name(), name);
            assert_eq!(name.parse::<DeviceName>().unwrap(), device);
        }
    }
}
