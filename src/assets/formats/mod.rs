//! How files say what a mesh is like. Only the bytes are read: what a file refers to elsewhere is
//! never opened.

mod gltf;
mod obj;
mod raw;
mod stl;

use crate::physics::{Mesh, MeshError};

/// How a file says what its mesh is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Triangles, as text or bytes.
    Stl,
    /// Wavefront's lines of text.
    Obj,
    /// glTF with everything in one file of bytes.
    Glb,
    /// glTF as JSON, with its buffers inside.
    Gltf,
    /// A JSON object of vertices and indices.
    Json,
}

/// Why a file holds no mesh that can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableMesh {
    /// It is not of its format, or of none that is known.
    #[error("{0}")]
    Malformed(String),
    /// It can be read, but what is in it cannot be taken.
    #[error(transparent)]
    Unfit(#[from] MeshError),
}

/// Every format: its letter in stores, its name and the media type it comes in.
const FORMATS: [(Format, u8, &str, &str); 5] = [
    (Format::Stl, b's', "stl", "model/stl"),
    (Format::Obj, b'o', "obj", "model/obj"),
    (Format::Glb, b'b', "glb", "model/gltf-binary"),
    (Format::Gltf, b'g', "gltf", "model/gltf+json"),
    (Format::Json, b'j', "json", "application/json"),
];

impl Format {
    /// The media types of all formats.
    pub const MEDIA_TYPES: [&'static str; FORMATS.len()] = {
        let mut types = [""; FORMATS.len()];
        let mut index = 0;
        while index < types.len() {
            types[index] = FORMATS[index].3;
            index += 1;
        }
        types
    };

    /// The format of a media type.
    pub fn of_media_type(essence: &str) -> Option<Self> {
        let is_it = |known: &str| known.eq_ignore_ascii_case(essence);
        let mut formats = FORMATS.into_iter();
        formats.find_map(|(format, _, _, known)| is_it(known).then_some(format))
    }

    /// The format that some bytes look like.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let text = bytes.trim_ascii_start();
        if bytes.starts_with(gltf::MAGIC) {
            Self::Glb
        } else if stl::is_stl(bytes) {
            Self::Stl
        } else if !text.starts_with(b"{") {
            Self::Obj
        } else if raw::is_raw(bytes) {
            Self::Json
        } else {
            Self::Gltf
        }
    }

    /// The format of this letter.
    pub fn of_letter(letter: u8) -> Option<Self> {
        let mut formats = FORMATS.into_iter();
        formats.find_map(|(format, known, ..)| (known == letter).then_some(format))
    }

    /// Its letter in stores.
    pub fn letter(self) -> u8 {
        self.describe().1
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.describe().2
    }

    /// The media type it comes in.
    pub fn media_type(self) -> &'static str {
        self.describe().3
    }

    fn describe(self) -> (Self, u8, &'static str, &'static str) {
        let mut formats = FORMATS.into_iter();
        let found = formats.find(|(format, ..)| *format == self);
        found.expect("every format is in the table")
    }
}

/// The mesh in a file. Bytes that are no such thing never panic.
pub fn read(format: Format, bytes: &[u8]) -> Result<Mesh, UnreadableMesh> {
    match format {
        Format::Stl => stl::read(bytes),
        Format::Obj => obj::read(bytes),
        Format::Glb => gltf::read_binary(bytes),
        Format::Gltf => gltf::read_text(bytes),
        Format::Json => raw::read(bytes),
    }
}

fn malformed(text: impl Into<String>) -> UnreadableMesh {
    UnreadableMesh::Malformed(text.into())
}

#[cfg(test)]
mod tests;
