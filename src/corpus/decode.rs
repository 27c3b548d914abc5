//! Which encoding a file is in, found by reading it once; then its text, streamed.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};
use sha2::{Digest as _, Sha256};

use crate::workspace::{Error, short_id};

/// Bytes read at a time.
const PIECE: usize = 1 << 16;
/// Of a text's bytes at most this share are control characters.
const CONTROL_SHARE: f64 = 0.05;

/// What one reading of a file's bytes tells.
pub(super) struct Examined {
    /// The encoding of its text.
    pub(super) encoding: &'static Encoding,
    /// A key of its content.
    pub(super) key: String,
    /// Its size.
    pub(super) bytes: u64,
}

/// Why a file is not read as text.
pub(super) enum Unreadable {
    Failed(Error),
    NotText(&'static str),
}

/// Reads a file's bytes once: are they text, and in which encoding?
pub(super) fn examine(path: &Path) -> Result<Examined, Unreadable> {
    let failed = |error| Unreadable::Failed(Error::io("reading", path)(error));
    let mut file = File::open(path).map_err(failed)?;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; PIECE]);
    let mut marked: Option<&'static Encoding> = None;
    let (mut valid_utf8, mut carried) = (true, Vec::new());
    let (mut bytes, mut control) = (0_u64, 0_u64);
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        let piece = &buffer[..n];
        if bytes == 0 {
            marked = Encoding::for_bom(piece).map(|(encoding, _)| encoding);
            if let Some(kind) = well_known_binary(piece) {
                return Err(Unreadable::NotText(kind));
            }
        }
        if n == 0 {
            detector.feed(&[], true);
            break;
        }
        hasher.update(piece);
        detector.feed(piece, false);
        bytes += n as u64;
        if marked.is_none() {
            if piece.contains(&0) {
                return Err(Unreadable::NotText("binary, not text"));
            }
            control +=
                piece.iter().filter(|byte| **byte < 32 && !matches!(**byte, b'\t' | b'\n' | b'\r' | 12)).count() as u64;
        }
        if valid_utf8 {
            carried.extend_from_slice(piece);
            match std::str::from_utf8(&carried).map(str::len) {
                Ok(_) => carried.clear(),
                // A character cut by the end of the piece goes on in the next one.
                Err(error) if error.error_len().is_none() => drop(carried.drain(..error.valid_up_to())),
                Err(_) => valid_utf8 = false,
            }
        }
    }
    if control as f64 > CONTROL_SHARE * bytes as f64 {
        return Err(Unreadable::NotText("binary, not text"));
    }
    let guessed = || if valid_utf8 && carried.is_empty() { UTF_8 } else { detector.guess(None, Utf8Detection::Deny) };
    let digest = hasher.finalize().iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
    Ok(Examined { encoding: marked.unwrap_or_else(guessed), key: short_id(&[&digest]), bytes })
}

fn well_known_binary(start: &[u8]) -> Option<&'static str> {
    match start {
        [b'%', b'P', b'D', b'F', ..] => Some("PDF is not read yet: convert it to text first"),
        [b'P', b'K', 3, 4, ..] => {
            Some("zip archives and office documents are not read yet: convert them to text first")
        }
        _ => None,
    }
}

/// The text of a file as UTF-8, streamed; what cannot be decoded becomes U+FFFD.
pub(super) fn decoded(
    path: &Path,
    encoding: &'static Encoding,
) -> Result<BufReader<DecodeReaderBytes<File, Vec<u8>>>, Error> {
    let file = File::open(path).map_err(Error::io("reading", path))?;
    let reader = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).build(file);
    Ok(BufReader::with_capacity(PIECE, reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, &'static str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, bytes).unwrap();
        let Ok(examined) = examine(&path) else { panic!("not text") };
        let mut text = String::new();
        decoded(&path, examined.encoding).unwrap().read_to_string(&mut text).unwrap();
        (text, examined.encoding.name())
    }

    #[test]
    fn encodings_are_found() {
        let text =
            "Аммиачный ресивер высокого давления собирает жидкость, стекающую из конденсаторов холодильной установки.";
        assert_eq!(read(text.as_bytes()), (text.to_owned(), "UTF-8"));
        let (cp1251, ..) = encoding_rs::WINDOWS_1251.encode(text);
        assert_eq!(read(&cp1251), (text.to_owned(), "windows-1251"));
        let mut utf16 = vec![0xff, 0xfe];
        utf16.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(read(&utf16), (text.to_owned(), "UTF-16LE"));
    }

    #[test]
    fn a_character_across_two_pieces_stays_whole() {
        let text = format!("a{}", "ю".repeat(PIECE));
        assert_eq!(read(text.as_bytes()), (text, "UTF-8"));
    }
}
