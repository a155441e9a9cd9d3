#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_proxy_fuzz::checks::header::check(bytes));
