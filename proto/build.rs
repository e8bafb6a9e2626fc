//! Compiles the definitions under `chancery/` to Rust and to an embedded descriptor set, without protoc.
//!
//! Law: what is encoded twice is the same bytes, so every map is ordered.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message as _;
use tonic_prost_build::Builder;

/// Where the definitions are, and the root of their packages.
const ROOT: &str = "chancery";

/// Fields that are passed on without a copy: slices of what was received, or shared by all receivers.
const SHARED_BYTES: [&str; 9] = [
    ".chancery.sync.v1.SnapshotBegin.envelope",
    ".chancery.sync.v1.SnapshotBegin.signer_certificate",
    ".chancery.sync.v1.Statement.body",
    ".chancery.sync.v1.Statement.signer_certificate",
    ".chancery.sync.v1.Chunk.data",
    ".chancery.sync.v1.Resource.body",
    ".chancery.sync.v1.AuditCheckpoint.note",
    ".chancery.sync.v1.AuditCheckpoint.proof",
    ".chancery.sync.v1.SimulatePart.data",
];

/// The package whose streams are open for as long as a node lives.
const LONG: &str = "chancery.sync.v1";

/// The package whose messages are another's.
const BORROWING: &str = "chancery.adapter.v1";

/// The package of what every definition may refer to.
const GOOGLE: &str = "google.protobuf";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let mut files = Vec::new();
    collect(Path::new(ROOT), &mut files)?;
    files.sort();

    let descriptors = protox::compile(&files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    // These refer to what is Google's.
    let (mut long, mut borrowing, mut others) = (descriptors.clone(), descriptors.clone(), descriptors);
    long.file.retain(|file| [LONG, GOOGLE].contains(&file.package()));
    borrowing.file.retain(|file| file.package() == BORROWING);
    others.file.retain(|file| ![LONG, BORROWING].contains(&file.package()));
    builder().compile_fds(others)?;
    builder().codec_path("crate::codec::Frugal").compile_fds(long)?;
    builder().extern_path(".chancery.inference.v1", "crate::inference").compile_fds(borrowing)?;
    Ok(())
}

fn builder() -> Builder {
    let plain = tonic_prost_build::configure().btree_map(".");
    SHARED_BYTES.iter().fold(plain, |builder, field| builder.bytes(field))
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
