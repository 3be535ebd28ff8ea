//! llama.cpp's process-wide state: initialised once, its logs sent to `tracing`.

use std::sync::OnceLock;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::{LogOptions, send_logs_to_tracing};

/// llama.cpp's backend. The first call initialises it and sends llama.cpp's own log lines to
/// `tracing`, target `llama-cpp-2`, at the levels llama.cpp gives them; that target is chatty at
/// `info`, so filters keep it at `warn`.
///
/// # Errors
///
/// When initialisation fails; every later call then returns the same error.
pub(crate) fn backend() -> Result<&'static LlamaBackend, String> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        send_logs_to_tracing(LogOptions::default());
        LlamaBackend::init().map_err(|error| format!("llama.cpp could not be initialised: {error}"))
    });
    backend.as_ref().map_err(Clone::clone)
}
