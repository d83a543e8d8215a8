//! An HTTP server for the tests, on this machine and with the standard library only.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use crate::data::files::IdxFile;
use crate::data::testing::{gzip, tiny};

/// The server's response to the request for one file.
pub(super) type Respond = fn(IdxFile) -> Vec<u8>;

/// A server on this machine; its thread ends with the process.
pub(super) fn serve(respond: Respond) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let file = IdxFile::ALL
                .into_iter()
                .find(|file| request == format!("GET /mirror/{} HTTP/1.1", file.gzipped_name()));
            let response = file.map_or_else(not_found, respond);
            stream.write_all(&response).unwrap();
        }
    });
    format!("http://{address}/mirror/")
}

pub(super) fn response(body: &[u8], length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

pub(super) fn good(file: IdxFile) -> Vec<u8> {
    let body = gzip(&tiny(file));
    response(&body, body.len())
}

pub(super) fn not_found() -> Vec<u8> {
    b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngone".to_vec()
}
