//! `map_grad`: the identity in the forward pass, a function of the error in the backward pass, and nothing
//! kept without a graph.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{
    Setup, address, assert_close, assert_same, assert_tensor_close, gradient, leaf, panic_of, rng,
    setups, values,
};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{DType, Device, Tensor};
use ei_norm::map_grad;

/// A function that counts its calls.
fn counting<const D: usize>(
    calls: &Arc<AtomicUsize>,
) -> impl Fn(Tensor<D>) -> Tensor<D> + Send + Sync + 'static {
    let calls = calls.clone();
    move |error| {
        calls.fetch_add(1, Ordering::SeqCst);
        error * 10.0
    }
}

/// Nonlinear, so that mapping a sum differs from summing mapped values.
fn bend<const D: usize>(error: Tensor<D>) -> Tensor<D> {
    error.clone() * error.abs() + 0.5
}

fn backward_is_f_of_the_error<const D: usize>(setup: &Setup, shape: [usize; D]) {
    let mut rng = rng(D as u64);
    let x = leaf(&setup.random(&mut rng, shape));
    let upstream = setup.random(&mut rng, shape);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let y = map_grad(x.clone(), {
        let seen = seen.clone();
        move |error| {
            seen.lock().unwrap().push(error.clone());
            bend(error)
        }
    });
    assert_same(&y, &x, &setup.at(("forward", shape)));
    assert!(y.is_tracked());
    let grads = (y * upstream.clone()).sum().backward();
    let found = x.grad(&grads).unwrap();
    assert_same(
        &found,
        &bend(upstream.clone()),
        &setup.at(("backward", shape)),
    );
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].is_autodiff());
    assert_same(&seen[0], &upstream, &setup.at(("error", shape)));
}

#[test]
fn the_error_is_replaced_by_f_of_it_at_every_rank() {
    for setup in setups() {
        backward_is_f_of_the_error(&setup, [1]);
        backward_is_f_of_the_error(&setup, [7]);
        backward_is_f_of_the_error(&setup, [5, 3]);
        backward_is_f_of_the_error(&setup, [3, 1, 4]);
        backward_is_f_of_the_error(&setup, [2, 3, 1, 5]);
    }
}

#[test]
fn the_forward_pass_copies_nothing() {
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device).require_grad();
    let hooked = map_grad(x.clone(), |error| error);
    assert_eq!(address(&hooked), address(&x));
    let plain = x.inner();
    assert_eq!(
        address(&map_grad(plain.clone(), |error| error)),
        address(&plain)
    );
}

#[test]
fn without_a_graph_f_is_dropped_at_once() {
    for setup in setups() {
        let plain = setup.random(&mut rng(0), [3, 2]);
        for x in [plain.clone(), plain.autodiff()] {
            let kept = Arc::new(());
            let inside = kept.clone();
            let y = map_grad(x.clone(), move |error| {
                let _ = &inside;
                error
            });
            assert_eq!(Arc::strong_count(&kept), 1, "{}", setup.at(&x));
            assert!(!y.is_tracked());
            assert_same(&y, &x, &setup.at("forward"));
        }
    }
}

#[test]
fn f_is_dropped_with_the_graph() {
    for setup in setups() {
        let x = leaf(&setup.random(&mut rng(0), [3, 2]));
        let kept = Arc::new(());
        let inside = kept.clone();
        let y = map_grad(x.clone(), move |error| {
            let _ = &inside;
            error * 2.0
        });
        let loss = (y * setup.random(&mut rng(1), [3, 2])).sum();
        assert_eq!(Arc::strong_count(&kept), 2);
        let grads = loss.backward();
        drop(loss);
        assert_eq!(Arc::strong_count(&kept), 1);
        assert!(x.grad(&grads).is_some());
    }
}

#[test]
fn hooks_side_by_side_do_not_mix() {
    for setup in setups() {
        let mut rng = rng(2);
        let [a, b, upstream] = [(); 3].map(|()| setup.random(&mut rng, [4]));
        let (x, y) = (leaf(&a), leaf(&b));
        let hooked = map_grad(x.clone(), |e| e * 3.0) * map_grad(y.clone(), |e| e + 7.0);
        let grads = (hooked * upstream.clone()).sum().backward();
        let at = setup.at("x");
        assert_same(&x.grad(&grads).unwrap(), &(upstream.clone() * b * 3.0), &at);
        assert_same(&y.grad(&grads).unwrap(), &(upstream * a + 7.0), &at);
    }
}

#[test]
fn chained_hooks_act_from_the_loss_to_the_input() {
    for setup in setups() {
        let mut rng = rng(3);
        let [x, upstream] = [(); 2].map(|()| setup.random(&mut rng, [2, 3]));
        let found = gradient(&x, &upstream, |x| {
            let inner = map_grad(x, |e| e + 1.0);
            map_grad(inner, |e| e * 3.0)
        });
        assert_same(&found, &(upstream * 3.0 + 1.0), &setup.at("chain"));
    }
}

#[test]
fn a_tensor_used_twice_sees_the_sum_of_its_errors_once() {
    for setup in setups() {
        let mut rng = rng(4);
        let x = leaf(&setup.random(&mut rng, [2, 3]));
        let [u, v, beside] = [(); 3].map(|()| setup.random(&mut rng, [2, 3]));
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = counting(&calls);
        let y = map_grad(x.clone(), move |error| bend(counted(error)));
        let loss = (y.clone() * u.clone()).sum() + (y * v.clone()).sum();
        let loss = loss + (x.clone() * beside.clone()).sum();
        let grads = loss.backward();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let expected = bend((u + v) * 10.0) + beside;
        let found = x.grad(&grads).unwrap();
        assert_tensor_close(&found, &expected, setup.tolerance, &setup.at("sum"));
    }
}

#[test]
fn two_hooks_on_one_tensor_add_up() {
    for setup in setups() {
        let mut rng = rng(5);
        let x = leaf(&setup.random(&mut rng, [4]));
        let [u, v] = [(); 2].map(|()| setup.random(&mut rng, [4]));
        let left = map_grad(x.clone(), |e| e * 2.0) * u.clone();
        let right = map_grad(x.clone(), |e| e * -3.0) * v.clone();
        let grads = (left + right).sum().backward();
        let expected = values(&(u * 2.0 + v * -3.0));
        let found = values(&x.grad(&grads).unwrap());
        assert_close(&found, &expected, setup.tolerance, &setup.at("sum"));
    }
}

#[test]
fn f_is_not_called_without_a_path_to_the_loss() {
    for setup in setups() {
        let mut rng = rng(6);
        let x = leaf(&setup.random(&mut rng, [3]));
        let upstream = setup.random(&mut rng, [3]);
        let calls = Arc::new(AtomicUsize::new(0));
        let unused = map_grad(x.clone(), counting(&calls));
        let detached = map_grad(x.clone(), counting(&calls)).detach();
        let grads = (x.clone() * detached * upstream.clone()).sum().backward();
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        let expected = x.clone().inner() * upstream;
        assert_same(&x.grad(&grads).unwrap(), &expected, &setup.at("detached"));
        drop(unused);
    }
}

/// The gradients of a small network with a hook before, between and after operations that checkpointing
/// recomputes.
fn gradients_of_a_network(setup: &Setup, device: &Device) -> Vec<Vec<f64>> {
    let mut rng = rng(7);
    let options = (device, setup.dtype);
    let [x, w, v] = [[5, 4], [4, 6], [6, 3]].map(|shape| {
        let values = setup.random::<2>(&mut rng, shape).into_data();
        Tensor::<2>::from_data(values, options).require_grad()
    });
    let upstream = Tensor::<2>::from_data(setup.random(&mut rng, [5, 3]).into_data(), options);
    let h = map_grad(x.clone().sin(), bend).matmul(w.clone());
    let h = map_grad(relu(map_grad(h, |e| e * 0.5)), bend);
    let h = map_grad(sigmoid(h.clone() * h), bend).matmul(v.clone());
    let grads = (map_grad(h.exp().log(), bend) * upstream).sum().backward();
    [x, w, v].map(|t| values(&t.grad(&grads).unwrap())).into()
}

#[test]
fn gradient_checkpointing_changes_nothing() {
    for setup in setups() {
        let device = setup.device.clone().autodiff();
        let expected = gradients_of_a_network(&setup, &device);
        let found = gradients_of_a_network(&setup, &device.gradient_checkpointing());
        for (found, expected) in found.iter().zip(&expected) {
            assert!(expected.iter().any(|g| g.abs() > 1e-3));
            assert_close(found, expected, setup.tolerance, &setup.at("network"));
        }
    }
}

#[test]
fn a_hook_in_a_network_equals_the_map_of_its_error() {
    for setup in setups() {
        let mut rng = rng(8);
        let x = leaf(&setup.random(&mut rng, [5, 4]));
        let w = leaf(&setup.random(&mut rng, [4, 3]));
        let upstream = setup.random(&mut rng, [5, 3]);
        let y = map_grad(x.clone().matmul(w.clone()), bend);
        let grads = (y * upstream.clone()).sum().backward();
        let error = bend(upstream);
        let dx = error.clone().matmul(w.clone().inner().transpose());
        let dw = x.clone().inner().transpose().matmul(error);
        for (leaf, expected) in [(x, dx), (w, dw)] {
            let found = leaf.grad(&grads).unwrap();
            assert_tensor_close(&found, &expected, setup.tolerance, &setup.at("product"));
        }
    }
}

#[test]
fn another_shape_panics_with_both_shapes() {
    for setup in setups() {
        let x = leaf(&setup.random(&mut rng(9), [3, 2]));
        let y = map_grad(x, |error| error.slice([0..2, 0..2]));
        let message = panic_of(|| drop(y.sum().backward()));
        let expected = "map_grad: the backward function returned shape [2, 2]";
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("[3, 2]"), "{message}");
    }
}

#[test]
fn another_dtype_panics_with_both_dtypes() {
    for setup in setups() {
        let other = match setup.dtype {
            DType::F32 => DType::F64,
            _ => DType::F32,
        };
        let x = leaf(&setup.random(&mut rng(9), [3]));
        let y = map_grad(x, move |error| error.cast(other));
        let message = panic_of(|| drop(y.sum().backward()));
        let expected = "map_grad: the backward function returned shape";
        assert!(message.contains(expected), "{message}");
        assert!(
            message.contains("F32") && message.contains("F64"),
            "{message}"
        );
    }
}

#[cfg(feature = "ndarray")]
#[test]
fn another_device_panics() {
    let x = Tensor::<1>::ones([3], &Device::flex().autodiff()).require_grad();
    #[allow(deprecated)]
    let y = map_grad(x, |error| error.to_device(&Device::ndarray()));
    let message = panic_of(|| drop(y.sum().backward()));
    let expected = "map_grad: the backward function returned a tensor on";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn f_may_use_autodiff() {
    for setup in setups() {
        let mut rng = rng(10);
        let [x, upstream] = [(); 2].map(|()| setup.random(&mut rng, [3]));
        let expected = upstream.clone() * 2.0;
        let tracked = |error: Tensor<1>| error.autodiff().require_grad() * 2.0;
        let found = gradient(&x, &upstream, |x| map_grad(x, tracked));
        assert_same(&found, &expected, &setup.at("a tensor with autodiff"));
        // A backward pass of its own.
        let of_square = |error: Tensor<1>| {
            let error = error.autodiff().require_grad();
            let grads = error.clone().square().sum().backward();
            error.grad(&grads).unwrap()
        };
        let found = gradient(&x, &upstream, |x| map_grad(x, of_square));
        assert_tensor_close(&found, &expected, setup.tolerance, &setup.at("inner"));
    }
}
