//! The program: parse, run, return an exit code.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use ftp_proxy::error::Error;
use ftp_proxy::log::{self, Log, To, install_panic_hook};
use ftp_proxy::options::{self, Invocation, Options};
use ftp_proxy::proxy;
use ftp_proxy::sys::descriptors::close_inherited;
use ftp_proxy::sys::fork::end;

fn main() -> ExitCode {
    close_inherited();
    install_panic_hook(To::Syslog);
    let (log, result) = match options::parse(env::args_os().skip(1)) {
        Ok(Invocation::Run(options)) => {
            let to = to(&options);
            install_panic_hook(to);
            let log = Log::open(options.debug, options.verbose, to);
            let result = proxy::run(&options, &log);
            (log, result)
        }
        Ok(Invocation::Help) => return print(&options::help()),
        Ok(Invocation::Version) => {
            return print(concat!("ftp-proxy ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        // Whoever gave these words is shown what is wrong with them, wherever that can be done.
        Err(bad) if log::may_be_the_client() => {
            (Log::open(0, false, To::Syslog), Err(Error::from(bad)))
        }
        Err(bad) => (
            Log::open(0, false, To::SyslogAndStderr),
            Err(Error::from(bad)),
        ),
    };
    let code = match result {
        Ok(()) => 0,
        Err(error) => log.fault(&error).exit_code(),
    };
    log.provoked_sums();
    end(code)
}

/// Where the log of a session or a super-server goes.
fn to(options: &Options) -> To {
    // A super-server's standard error is not the client, and where nobody takes its lines it would be silent.
    let alone = || !options.listen.is_empty() && !log::may_be_the_client() && !log::has_syslogd();
    if options.log_stderr {
        To::Stderr
    } else if io::stderr().is_terminal() {
        To::SyslogAndStderr
    } else if alone() {
        To::Stderr
    } else {
        To::Syslog
    }
}

/// To standard output, which a person who asks for help has; a closed pipe is no fault of ours.
fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
