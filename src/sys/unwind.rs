//! What std would load libgcc_s.so for.
//!
//! std comes compiled for programs that unwind or print where a panic came from. This one does neither: it is built to
//! abort, and its panic hook names a line (`log.rs`). So nothing here is ever called; but while it is not here, each session
//! that inetd(8) starts loads and links a library for it (docs/performance.md). What is looked up first is found first, so
//! it is hidden from libraries that do unwind, as modules of NSS may. The names and types are the Itanium C++ ABI's
//! (exception handling, level I).

use std::ffi::{c_int, c_void};
use std::process::abort;

/// There is nothing further up.
const END_OF_STACK: c_int = 5;

/// One symbol each, for this program alone.
macro_rules! hidden {
    ($(fn $name:ident($($argument:ty),*) -> $result:ty $body:block)*) => {$(
        // SAFETY: std declares this name with these types; no other library sees it.
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> $result $body

        std::arch::global_asm!(concat!(".hidden ", stringify!($name)));
    )*};
}

hidden! {
    fn _Unwind_Backtrace(*const c_void, *mut c_void) -> c_int { END_OF_STACK }
    fn _Unwind_DeleteException(*mut c_void) -> () { abort() }
    fn _Unwind_GetDataRelBase(*mut c_void) -> usize { abort() }
    fn _Unwind_GetIP(*mut c_void) -> usize { abort() }
    fn _Unwind_GetIPInfo(*mut c_void, *mut c_int) -> usize { abort() }
    fn _Unwind_GetLanguageSpecificData(*mut c_void) -> *mut c_void { abort() }
    fn _Unwind_GetRegionStart(*mut c_void) -> usize { abort() }
    fn _Unwind_GetTextRelBase(*mut c_void) -> usize { abort() }
    fn _Unwind_RaiseException(*mut c_void) -> c_int { abort() }
    fn _Unwind_Resume(*mut c_void) -> ! { abort() }
    fn _Unwind_SetGR(*mut c_void, c_int, usize) -> () { abort() }
    fn _Unwind_SetIP(*mut c_void, usize) -> () { abort() }
}
