//! Bringing text into its normal form, as the tokenizer's normalizers will.
//!
//! Most text is in it already: that is seen in passing, and nothing is copied. What is not is normalized by the tables that
//! the `tokenizers` crate uses, a stretch at a time.

use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization as _, is_nfc_quick, is_nfkc_quick};

use super::looks::Looks;
use crate::settings::Normalization;
use crate::tokenizer::Result;

/// Characters that are written between two looks.
const STRETCH: usize = 1 << 14;
/// A longer text is not looked at beforehand, in one go, but normalized as it is.
const LONG: usize = 1 << 20;

/// Brings text into a normal form, and lower-cases it where wanted.
pub(super) struct Normalizer {
    pub(super) form: Normalization,
    pub(super) lowercase: bool,
}

impl Normalizer {
    /// The text in its normal form: itself, or what is written to one of the buffers.
    pub(super) fn normalized<'t>(
        &self,
        text: &'t str,
        buffers: &'t mut [String; 2],
        looks: &mut Looks<'_>,
    ) -> Result<&'t str> {
        let [composed, lower] = buffers;
        let text = if self.stands(text) {
            text
        } else {
            match self.form {
                Normalization::None => text,
                Normalization::Nfc => written(text.nfc().map(|(c, _)| c), composed, looks)?,
                Normalization::Nfkc => written(text.nfkc().map(|(c, _)| c), composed, looks)?,
            }
        };
        if !self.lowercase {
            return Ok(text);
        }
        // A character at a time, as the library does it: a final sigma is like any other.
        written(text.chars().flat_map(char::to_lowercase), lower, looks)
    }

    /// Whether the text is quickly seen to be in the form.
    fn stands(&self, text: &str) -> bool {
        let quickly = match self.form {
            Normalization::None => return true,
            Normalization::Nfc => is_nfc_quick,
            Normalization::Nfkc => is_nfkc_quick,
        };
        text.is_ascii() || (text.len() <= LONG && matches!(quickly(text.chars()), IsNormalized::Yes))
    }
}

fn written<'b>(
    mut characters: impl Iterator<Item = char>,
    buffer: &'b mut String,
    looks: &mut Looks<'_>,
) -> Result<&'b str> {
    buffer.clear();
    loop {
        let before = buffer.len();
        buffer.extend(characters.by_ref().take(STRETCH));
        if buffer.len() == before {
            return Ok(buffer);
        }
        looks.spend(buffer.len() - before)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::normalizers::{Lowercase, NFC, NFKC};
    use tokenizers::{NormalizedString, Normalizer as _};

    use super::*;
    use crate::progress::Silent;
    use crate::tokenizer::hostile;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn texts_become_what_the_library_makes_of_them(
            text in prop_oneof![3 => hostile::text(), 1 => any::<String>(), 1 => "[\u{300}-\u{360}aeΣσΩﬁ가-깋ᄀ-ᇿ]{0,20}"],
            lowercase: bool,
        ) {
            for form in [Normalization::None, Normalization::Nfc, Normalization::Nfkc] {
                let mut expected = NormalizedString::from(text.clone());
                match form {
                    Normalization::None => {}
                    Normalization::Nfc => NFC.normalize(&mut expected).unwrap(),
                    Normalization::Nfkc => NFKC.normalize(&mut expected).unwrap(),
                }
                if lowercase {
                    Lowercase.normalize(&mut expected).unwrap();
                }
                let mut buffers = Default::default();
                let ours = Normalizer { form, lowercase };
                let found = ours.normalized(&text, &mut buffers, &mut Looks::new(&Silent)).unwrap();
                prop_assert_eq!(found, expected.get());
            }
        }
    }
}
