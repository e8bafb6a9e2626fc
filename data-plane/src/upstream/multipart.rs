//! A form with files (RFC 7578), written for a vendor.
//!
//! Law: it is written from what was read and judged, and from nothing else, so that no two parsers can read two things in it. What a
//! name or a type could break out with is escaped as browsers do it (HTML, 4.10.21.8). Deliberately absent: reading one.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderValue;

use super::call::File;
use super::error::{Kind, UpstreamError};
use crate::tape::{Kind as Form, Tape, Value};

/// The form that an object stands for: a member is a field, an array several of one name, an object the next of the files. Gives the
/// media type with it.
pub(super) fn write(
    fields: &[u8],
    files: &[File],
    boundary: &str,
) -> Result<(HeaderValue, Bytes), UpstreamError> {
    let odd = |what: &'static str| UpstreamError::caused(Kind::Protocol, what);
    let mut tape = Tape::for_text(fields.len());
    tape.read(fields).map_err(|malformed| UpstreamError::caused(Kind::Protocol, malformed.fault))?;
    let root = tape.root(fields).ok_or_else(|| odd("the form is empty"))?;
    let room: usize = files.iter().map(|file| file.bytes.len() + 512).sum();
    let mut writing =
        Writing { out: BytesMut::with_capacity(fields.len() * 2 + room), boundary, files: files.iter() };
    for (key, value) in root.members() {
        let name = key.text();
        match value.kind() {
            Form::Array => value.elements().for_each(|element| writing.field(&name, element)),
            _ => writing.field(&name, value),
        }
    }
    if writing.files.next().is_some() {
        return Err(odd("a file has no field"));
    }
    let mut out = writing.out;
    out.put_slice(format!("--{boundary}--\r\n").as_bytes());
    let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
    Ok((kind.map_err(|_| odd("the boundary is none"))?, out.freeze()))
}

struct Writing<'w> {
    out: BytesMut,
    boundary: &'w str,
    files: std::slice::Iter<'w, File>,
}

impl Writing<'_> {
    fn field(&mut self, name: &str, value: Value<'_>) {
        let (name, boundary) = (escaped(name), self.boundary);
        let begin = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"");
        self.out.put_slice(begin.as_bytes());
        if value.kind() == Form::Object {
            let said = |member: &str| value.get(member).map(|text| text.text()).unwrap_or_default();
            self.out.put_slice(format!("; filename=\"{}\"", escaped(&said("filename"))).as_bytes());
            let kind = said("type");
            if HeaderValue::from_str(&kind).is_ok_and(|kind| !kind.is_empty()) {
                self.out.put_slice(format!("\r\ncontent-type: {kind}").as_bytes());
            }
            self.out.put_slice(b"\r\n\r\n");
            self.out.put_slice(self.files.next().map(|file| &file.bytes[..]).unwrap_or_default());
        } else {
            self.out.put_slice(b"\r\n\r\n");
            self.out.put_slice(value.text().as_bytes());
        }
        self.out.put_slice(b"\r\n");
    }
}

fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_stand_in_their_order_and_nothing_breaks_out() {
        let fields = r#"{"model":"m","prompt":"a\r\n--b","image[]":[{"filename":"x\"\r\n.png","type":"image/png","bytes":2},
            {"filename":"y","type":"a\r\nb: c","bytes":1}],"n":"2"}"#;
        let file = |bytes: &'static [u8]| File { bytes: Bytes::from_static(bytes) };
        let (kind, body) = write(fields.as_bytes(), &[file(b"\xff\0"), file(b"z")], "B").unwrap();
        assert_eq!(kind, "multipart/form-data; boundary=B");
        let expected: &[u8] = b"--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n\
            --B\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\na\r\n--b\r\n\
            --B\r\ncontent-disposition: form-data; name=\"image[]\"; filename=\"x%22%0D%0A.png\"\r\ncontent-type: image/png\r\n\r\n\xff\0\r\n\
            --B\r\ncontent-disposition: form-data; name=\"image[]\"; filename=\"y\"\r\n\r\nz\r\n\
            --B\r\ncontent-disposition: form-data; name=\"n\"\r\n\r\n2\r\n--B--\r\n";
        assert_eq!(String::from_utf8_lossy(&body), String::from_utf8_lossy(expected));
        assert!(
            write(b"{}", &[file(b"z")], "B").is_err(),
            "a file that nothing refers to is not lost in silence"
        );
    }
}
