//! A training step of every layer on the device of a server, compared with the same step on Flex in this
//! process. The server is a thread of the test and serves Flex on a port of the loopback interface.

#[path = "library/common/mod.rs"]
#[allow(dead_code)] // Of what the tests share this one uses little.
mod common;

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use burn::remote::RemoteHost;
use burn::server::{RemoteServer, WebSocketTransport};
use burn::tensor::{DType, Device, Tensor};
use common::Setup;
use common::table::{largest_error, layers};
use ei_norm::grad::is_listed;

/// Longer than all steps take; otherwise a server that does not answer would block a client for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// The device of a server in a thread that ends with the process.
fn remote_device() -> Device {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the address of the port");
    std::thread::spawn(move || {
        let transport = WebSocketTransport::from_listener(listener);
        RemoteServer::new([Device::flex()]).serve(transport)
    });
    let host = RemoteHost::websocket(&format!("ws://{address}"));
    Device::remote_options(&host).init().expect("a session")
}

/// Runs `f` in a thread and fails if it takes too long.
#[track_caller]
fn in_time<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        // After the timeout nothing receives the result.
        let _ = sender.send(f());
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no result after {PATIENCE:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends well sends its result"),
        },
    }
}

#[test]
fn a_step_over_the_network_is_the_step_of_this_process() {
    const TOLERANCE: f64 = 1e-5;
    in_time(|| {
        let setup = |name, device| Setup {
            name,
            device,
            dtype: DType::F32,
            tolerance: TOLERANCE,
        };
        let local = setup("flex", Device::flex());
        let remote = setup("remote", remote_device());
        assert_ne!(remote.device, local.device);
        assert!(is_listed(&Tensor::<1>::zeros([1], &remote.device)));
        for layer in layers() {
            let (error, place) = largest_error(&layer.step(&remote), &layer.step(&local));
            println!("{:24} {error:.1e} {place}", layer.name);
            assert!(error <= TOLERANCE, "{}, {place}: {error:e}", layer.name);
        }
    });
}
