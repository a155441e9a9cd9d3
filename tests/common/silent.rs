//! A server that does not accept.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A listener whose queue is full: who dials gets no answer, as from a host that is not there.
pub struct Silent {
    listener: TcpListener,
    _waiting: Vec<Socket>,
}

impl Silent {
    pub fn new() -> Silent {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 4], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let listener = TcpListener::from(listener);
        let at = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // Until one is not taken at once.
        loop {
            let one = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let taken = one.connect_timeout(&at.into(), Duration::from_millis(300));
            waiting.push(one);
            if taken.is_err() {
                break;
            }
        }
        Silent {
            listener,
            _waiting: waiting,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}
