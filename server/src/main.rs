//! The program `lingbao`: see `lingbao help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lingbao_server::cli::run()
}
