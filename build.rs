//! Compiles the processor check, which runs before `main`.

fn main() {
    println!("cargo:rerun-if-changed=src/cpu_check.c");
    println!("cargo:rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64")
        || std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux")
    {
        return;
    }
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let has = |name: &str| features.split(',').any(|feature| feature == name);
    let mut build = cc::Build::new();
    build
        .file("src/cpu_check.c")
        .inherit_rustflags(false)
        .flag("-march=x86-64")
        .link_lib_modifier("+whole-archive");
    for (feature, define) in [
        ("avx2", "FRONTDESK_NEEDS_AVX2"),
        ("avx512f", "FRONTDESK_NEEDS_AVX512"),
        ("avx512vnni", "FRONTDESK_NEEDS_AVX512VNNI"),
    ] {
        if has(feature) {
            build.define(define, None);
        }
    }
    build.compile("frontdesk_cpu_check");
}
