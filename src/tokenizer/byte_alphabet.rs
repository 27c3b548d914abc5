//! GPT-2's alphabet of bytes (Radford et al. 2019): a printable character for each.

/// The byte that a character stands for: one that prints stands for itself, the others for the characters from U+0100
/// on, in their order.
pub(super) const fn byte_of(stand_in: char) -> Option<u8> {
    match stand_in as u32 {
        code @ (0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) => Some(code as u8),
        code @ 0x100..=0x120 => Some((code - 0x100) as u8),
        code @ 0x121..=0x142 => Some((code - 0x121) as u8 + 0x7F),
        0x143 => Some(0xAD),
        _ => None,
    }
}

/// A piece as a person reads it: characters instead of the stand-ins of their bytes (`ам` for `Ð°Ð¼`), with `Ġ` for a
/// blank. A piece that is part of a character, or is not byte-level, stays as the vocabulary writes it.
pub fn readable(piece: &str) -> String {
    let bytes: Option<Vec<u8>> = piece.chars().map(byte_of).collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map_or_else(|| piece.to_owned(), |text| text.replace(' ', "Ġ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_made_readable() {
        assert_eq!(readable("Ġde"), "Ġde");
        assert_eq!(readable("Ð°Ð¼"), "ам");
        assert_eq!(readable("Ð"), "Ð", "half a character");
        assert_eq!(readable("##osi"), "##osi");
        assert_eq!(readable("▁the"), "▁the");
    }

    #[test]
    fn every_byte_has_its_character() {
        let mut bytes: Vec<u8> =
            tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=u8::MAX).collect::<Vec<_>>());
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
        assert_eq!(byte_of(' '), None);
        assert_eq!(byte_of('ю'), None);
    }
}
