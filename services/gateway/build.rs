//! Says where the dashboard's build is, or an empty folder where it was not built yet, so that the
//! gateway compiles either way.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let built = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../dashboard/dist");
    println!("cargo:rerun-if-changed={}", built.display());
    let folder = if built.join("index.html").is_file() {
        built.canonicalize()?
    } else {
        let empty = PathBuf::from(std::env::var("OUT_DIR")?).join("no-dashboard");
        std::fs::create_dir_all(&empty)?;
        empty
    };
    println!("cargo:rustc-env=UPMESH_DASHBOARD={}", folder.display());
    Ok(())
}
