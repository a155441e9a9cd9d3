//! The files that other systems' programs are made of and this one's is not, tried here as far as this kernel can.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

#[path = "../src/sys/conduit/copy.rs"]
mod copy;
#[path = "../src/sys/conduit/splice.rs"]
mod splice;

/// Carries more than a socket holds, to a reader who is slow to begin, so that it has to wait and to give in parts.
macro_rules! carries_all_in_order {
    ($name:ident, $conduit:ty) => {
        #[test]
        fn $name() {
            let (mut sender, from) = UnixStream::pair().unwrap();
            let (to, mut receiver) = UnixStream::pair().unwrap();
            from.set_nonblocking(true).unwrap();
            to.set_nonblocking(true).unwrap();
            let mut conduit = <$conduit>::new().unwrap();
            assert_eq!(conduit.pending(), 0);
            let nothing = conduit.fill(from.as_fd()).unwrap_err();
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);

            let bytes: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
            let expected = bytes.clone();
            let writer = thread::spawn(move || sender.write_all(&bytes));
            let (mut reader, mut full) = (None, false);
            loop {
                match conduit.fill(from.as_fd()) {
                    Ok(0) => break,
                    Ok(taken) => assert_eq!(conduit.pending(), taken),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                while conduit.pending() > 0 {
                    let before = conduit.pending();
                    match conduit.drain(to.as_fd()) {
                        Ok(given) => assert_eq!(conduit.pending(), before - given),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            conduit.narrow();
                            assert!(conduit.pending() == before && !conduit.is_wide());
                            full = true;
                            let mut receiver = receiver.try_clone().unwrap();
                            reader.get_or_insert_with(|| {
                                thread::spawn(move || {
                                    let mut all = Vec::new();
                                    receiver.read_to_end(&mut all).map(|_| all)
                                })
                            });
                        }
                    }
                }
            }
            drop(to);
            writer.join().unwrap().unwrap();
            let received: io::Result<Vec<u8>> = reader.unwrap().join().unwrap();
            assert!(full && received.unwrap() == expected);
            drop(conduit);
            assert_eq!(receiver.read(&mut [0]).unwrap(), 0);
        }
    };
}

carries_all_in_order!(a_buffer_carries_all_bytes_in_order, copy::Conduit);
carries_all_in_order!(a_pipe_carries_all_bytes_in_order, splice::Conduit);

macro_rules! tells_of_a_sink_that_has_gone {
    ($name:ident, $conduit:ty) => {
        #[test]
        fn $name() {
            let (mut sender, from) = UnixStream::pair().unwrap();
            let (to, receiver) = UnixStream::pair().unwrap();
            let mut conduit = <$conduit>::new().unwrap();
            sender.write_all(b"to nobody").unwrap();
            conduit.fill(from.as_fd()).unwrap();
            drop(receiver);
            let gone = conduit.drain(to.as_fd()).unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::BrokenPipe);
        }
    };
}

tells_of_a_sink_that_has_gone!(a_buffer_tells_of_a_sink_that_has_gone, copy::Conduit);
tells_of_a_sink_that_has_gone!(a_pipe_tells_of_a_sink_that_has_gone, splice::Conduit);
