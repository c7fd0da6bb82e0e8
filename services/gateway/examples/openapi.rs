//! Writes the OpenAPI document to the file named, or to standard output:
//! `cargo run -p gateway --example openapi -- docs/openapi.json`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let document = gateway::openapi::openapi_json()?;
    match std::env::args_os().nth(1) {
        Some(path) => std::fs::write(path, document)?,
        None => print!("{document}"),
    }
    Ok(())
}
