//! The device of a server, which is a thread of the test and serves Flex on a port of the loopback interface.

use std::net::TcpListener;
use std::sync::LazyLock;

use burn::remote::RemoteHost;
use burn::server::{RemoteServer, WebSocketTransport};
use burn::tensor::Device;

/// The device of the one server of this process.
pub fn device() -> Device {
    static DEVICE: LazyLock<Device> = LazyLock::new(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the address of the port");
        std::thread::spawn(move || {
            let transport = WebSocketTransport::from_listener(listener);
            RemoteServer::new([Device::flex()]).serve(transport)
        });
        let host = RemoteHost::websocket(&format!("ws://{address}"));
        Device::remote_options(&host).init().expect("a session")
    });
    DEVICE.clone()
}
