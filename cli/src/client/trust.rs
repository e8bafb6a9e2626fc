//! Whom the command line trusts to be the control plane: who the platform's authorities vouch for, and who those of one file
//! do. Absent on purpose: trusting whoever answers.

use std::path::Path;

use reqwest::Certificate;

use super::ClientError;

/// The variable that names a file of authorities.
pub(crate) const VARIABLE: &str = "CHANCERY_CA";

/// What the end of a chain of errors says, and what to do about it.
const HINTS: [(&str, &str); 3] = [
    (
        "UnknownIssuer",
        "its certificate is of an authority that is not known here: name the authority's PEM file by `--ca FILE` or \
         `CHANCERY_CA`",
    ),
    ("invalid HTTP version", "the port may speak TLS: try `https://` in `CHANCERY_CONTROL_URL`"),
    ("InvalidContentType", "the port may not speak TLS: try `http://` in `CHANCERY_CONTROL_URL`"),
];

/// The authorities of a file, one at least; none where no file is named.
pub(super) fn authorities(file: Option<&Path>) -> Result<Vec<Certificate>, ClientError> {
    let Some(path) = file else { return Ok(Vec::new()) };
    let refused = |why: String| ClientError::Authority { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if certificates.is_empty() => Err(refused("it has no PEM certificate".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(refused("it is not PEM certificates".to_owned())),
    }
}

/// What may help who was told this.
pub(super) fn hint(why: &str) -> Option<&'static str> {
    HINTS.iter().find(|(said, _)| why.contains(said)).map(|(_, hint)| *hint)
}
