//! The seed of a device determines the weights that are drawn from it. The test has its own process, because
//! all threads of a process share the generator of the device.

use burn::tensor::{Device, Tensor};
use ei_norm::EiLinearConfig;

#[test]
fn the_seed_of_the_device_determines_the_weights() {
    let backends = [
        Device::flex(),
        #[cfg(feature = "ndarray")]
        Device::ndarray(),
    ];
    for backend in backends {
        for device in [backend.clone(), backend.autodiff()] {
            let of = |seed| {
                device.seed(seed);
                let first = EiLinearConfig::new(6, 5).init(&device);
                let second = EiLinearConfig::new(6, 5).try_init(&device).unwrap();
                [first, second].map(|layer| {
                    let w_ix = layer.w_ix.as_ref().unwrap().val();
                    let w_ei = layer.w_ei.as_ref().unwrap().val();
                    [layer.w_ex.val(), w_ix, w_ei].map(|w: Tensor<2>| w.into_data())
                })
            };
            let [a, again, b] = [of(1), of(1), of(2)];
            assert_eq!(a, again, "{device:?}");
            assert_ne!(a[0][0], b[0][0], "{device:?}");
            assert_ne!(a[0][0], a[1][0], "{device:?}");
        }
    }
}
