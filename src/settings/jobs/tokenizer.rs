//! Measuring and training tokenizers.

use super::DocumentsToUse;
use crate::settings::define::settings;
use crate::settings::value::choice;

settings! {
    /// Measuring fragmentation.
    InspectSettings for "inspect" {
        /// The tokenizer to judge: an artifact's name, a folder, a tokenizer.json, that of a model of the hub
        /// (organisation/name), or `embedded`; default: the newest trained here, else `embedded`.
        tokenizer: Option<String> = None;
        /// How many of the worst-split words to list.
        worst: usize = 20, range 0..100_000, unit "words";
    }
}

choice! {
    /// How a tokenizer's pieces are found.
    TokenizerKind {
        /// The most frequent pair of neighbours becomes one token, over and over (Sennrich et al. 2016), on bytes
        /// (Radford et al. 2019): no text is unknown.
        Bpe = "bpe",
        /// Greedy longest match from a vocabulary of characters and their compounds (Schuster & Nakajima 2012), as BERT
        /// reads it.
        WordPiece = "wordpiece",
    }
}

choice! {
    /// Where text is cut before merges are counted; no token crosses such a cut.
    SplitPattern {
        /// GPT-2's: contractions, letters, digits, other signs, each with the blank before it.
        Gpt2 = "gpt2",
        /// The newer one of cl100k and Llama 3: digits three at a time, a sign joins the letters behind it, line ends
        /// join the signs before them.
        Cl100k = "cl100k",
    }
}

choice! {
    /// The Unicode normal form that text is brought into first.
    Normalization {
        /// None: text stays as it is.
        None = "none",
        /// Composed characters.
        Nfc = "nfc",
        /// Composed characters, compatible ones made the same: `ﬁ` becomes `fi`.
        Nfkc = "nfkc",
    }
}

choice! {
    /// The bytes that have a token of their own from the beginning.
    InitialAlphabet {
        /// All 256: no text is unknown.
        Bytes = "bytes",
        /// Those that the documents hold: others are left out of what is encoded.
        Seen = "seen",
    }
}

settings! {
    /// Training a tokenizer.
    TokenizerSettings for "tokenizer" {
        /// What is trained: bpe, on bytes, or wordpiece, as BERT has it.
        kind: TokenizerKind = TokenizerKind::Bpe;
        /// Tokens in the vocabulary, special tokens included.
        vocab_size: usize = 16000, range 300..1_000_000, unit "tokens";
        /// How often a pair must occur to be merged.
        min_frequency: u64 = 2, range 1..1_000_000, unit "times";
        /// Lower-case the text first, as an uncased base does.
        lowercase: bool = false;
        /// The Unicode normal form that text is brought into first.
        normalize: Normalization = Normalization::Nfc;
        /// Where text is cut before merges are counted: gpt2, or cl100k, the newer one.
        pattern: SplitPattern = SplitPattern::Gpt2;
        /// Put a blank before a text that begins without one, so that its first word is as any other.
        prefix_space: bool = false;
        /// Merge only what stays shorter than this; pairs of two bytes always may. Default: no limit.
        max_token_length: Option<usize> = None, range 1..1_000_000, unit "bytes";
        /// The bytes that have a token from the beginning: all, or those that the documents hold.
        initial_alphabet: InitialAlphabet = InitialAlphabet::Bytes;
        /// Keep so many bytes only, the most frequent; text with others loses them. Default: no limit.
        limit_alphabet: Option<usize> = None, range 1..256, unit "bytes";
        /// More special tokens, parted by commas, behind `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`.
        special_tokens: Vec<String> = Vec::new();
        /// Memory for counted words; what is more is sorted, written to disk and merged in the end.
        count_memory: usize = 4096, range 1..1_000_000, unit "MiB";
        /// Train `WordPiece` on the same documents too, and judge both at a few sizes.
        compare_wordpiece: bool = false;
        /// Which documents to train on: train, so that the others judge it, or all.
        documents: DocumentsToUse = DocumentsToUse::Train;
        /// The artifact's name.
        name: String = "bpe".to_owned();
    }
}
