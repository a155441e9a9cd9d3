//! hosts_access(3) from the system's tcp wrappers library, found at run time so that building needs nothing.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libloading::Library;
use socket2::SockAddr;

/// By which names the library goes, best first: the second is there when only its headers' package makes the link.
const NAMES: [&str; 2] = ["libwrap.so.0", "libwrap.so"];

// Keys of request_init(3), from <tcpd.h>; they have been the same since 1995.
const RQ_FILE: c_int = 1;
const RQ_DAEMON: c_int = 2;
const RQ_CLIENT_NAME: c_int = 4;
const RQ_CLIENT_ADDR: c_int = 5;
const RQ_CLIENT_SIN: c_int = 6;
const RQ_SERVER_NAME: c_int = 7;
const RQ_SERVER_ADDR: c_int = 8;
const RQ_SERVER_SIN: c_int = 9;
const RQ_END: c_int = 0;

/// `struct request_info` of <tcpd.h> with room to spare: it holds six strings of 128 bytes and a dozen pointers, under
/// 1 KiB on every system. We never look inside.
#[repr(C, align(16))]
struct RequestInfo([u8; 8192]);

type RequestInit = unsafe extern "C" fn(*mut RequestInfo, ...) -> *mut c_void;
type HostsAccess = unsafe extern "C" fn(*mut RequestInfo) -> c_int;

/// The loaded library.
pub struct Libwrap {
    request_init: RequestInit,
    hosts_access: HostsAccess,
    /// Keeps the two functions mapped.
    _library: Library,
}

/// One end of a connection, as the library wants to know it.
pub struct Host {
    address: SockAddr,
    text: CString,
    name: CString,
}

impl Host {
    /// `name` is the looked-up name, or `None`: rules on names then see `unknown`.
    #[must_use]
    pub fn new(at: SocketAddr, name: Option<&str>) -> Host {
        // A client that came to an IPv6 socket by IPv4 is meant by the rules on IPv4.
        let ip = at.ip().to_canonical();
        let unknown = || c"unknown".to_owned();
        Host {
            address: SocketAddr::new(ip, at.port()).into(),
            text: CString::new(ip.to_string()).unwrap_or_else(|_| unknown()),
            name: name
                .and_then(|name| CString::new(name).ok())
                .unwrap_or_else(unknown),
        }
    }
}

impl Libwrap {
    /// Loads the library.
    ///
    /// # Errors
    /// The loader's words: it is not installed, or it is something else.
    pub fn load() -> Result<Libwrap, libloading::Error> {
        // SAFETY: libwrap has no initialiser and no finaliser of its own, so loading it runs only the C library's.
        let open = |name| unsafe { Library::new(name) };
        let library = open(NAMES[0]).or_else(|first| open(NAMES[1]).map_err(|_| first))?;
        // SAFETY: both have had these types since tcp_wrappers 7.0 (<tcpd.h>), and `library` is kept beside the copies.
        unsafe {
            Ok(Libwrap {
                request_init: *library.get(b"request_init\0")?,
                hosts_access: *library.get(b"hosts_access\0")?,
                _library: library,
            })
        }
    }

    /// Whether hosts.allow(5) and hosts.deny(5) permit `client` to reach `server` by `daemon`. Rules may write to
    /// `socket`, which is the client (`banners`), and may never return (`twist`; hosts_options(5)).
    ///
    /// Never inlined: its request would be room on the stack of every session, and the compiler touches what is more than a
    /// page.
    #[must_use]
    #[inline(never)]
    pub fn hosts_access(
        &self,
        daemon: &CStr,
        socket: BorrowedFd<'_>,
        client: &Host,
        server: &Host,
    ) -> bool {
        let mut request = RequestInfo([0; 8192]);
        let request = ptr::from_mut(&mut request);
        let string = |text: &CStr| -> *const c_char { text.as_ptr() };
        // SAFETY: `request` is live, aligned for any C type and larger than the structure. Each key is followed by an
        // argument of the type that <tcpd.h> gives it and the list ends with 0. Strings are copied; the descriptor is
        // borrowed for as long; the two addresses are kept as pointers and outlive the next call, the last to use them.
        // Without sock_methods() the library has no function to look up names, so it asks no resolver.
        unsafe {
            (self.request_init)(
                request,
                RQ_FILE,
                socket.as_raw_fd(),
                RQ_DAEMON,
                string(daemon),
                RQ_CLIENT_SIN,
                client.address.as_ptr(),
                RQ_CLIENT_ADDR,
                string(&client.text),
                RQ_CLIENT_NAME,
                string(&client.name),
                RQ_SERVER_SIN,
                server.address.as_ptr(),
                RQ_SERVER_ADDR,
                string(&server.text),
                RQ_SERVER_NAME,
                string(&server.name),
                RQ_END,
            );
            (self.hosts_access)(request) != 0
        }
    }
}
