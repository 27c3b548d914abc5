//! Counted words on disk: sorted files, written when memory is full or a checkpoint is due, merged when they are read.
//!
//! A record is the word's length and bytes and its three counts, numbers in LEB128.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::looks::Looks;
use super::table::{Counts, Table};
use crate::tokenizer::{Error, Result};

/// Words that are sorted in one go.
const CHUNK: usize = 1 << 15;

/// A file of sorted words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SortedFile {
    /// Its name in the folder.
    pub(super) name: String,
    /// Words in it.
    words: u64,
    /// Of all records.
    checksum: u64,
}

impl SortedFile {
    /// Writes the words of a table, sorted; the file appears whole or not at all.
    pub(super) fn write(folder: &Path, name: String, table: &Table, looks: &mut Looks<'_>) -> Result<Self> {
        // Sorted in parts and merged, so that there is a look between any two parts.
        let mut numbers: Vec<u32> = (0..table.len() as u32).collect();
        for part in numbers.chunks_mut(CHUNK) {
            looks.spend(16 * part.len())?;
            part.sort_unstable_by(|a, b| table.word(*a as usize).cmp(table.word(*b as usize)));
        }
        let parts = numbers.chunks(CHUNK).map(|part| part.iter().map(|at| *at as usize));
        let mut sources: Vec<_> = parts.collect();
        let mut heap: BinaryHeap<Reverse<(&[u8], usize, usize)>> = BinaryHeap::new();
        for (source, part) in sources.iter_mut().enumerate() {
            heap.extend(part.next().map(|at| Reverse((table.word(at), at, source))));
        }
        let sorted = std::iter::from_fn(|| {
            let Reverse((word, at, source)) = heap.pop()?;
            heap.extend(sources[source].next().map(|at| Reverse((table.word(at), at, source))));
            Some((word, table.counts(at)))
        });
        Self::write_in_order(folder, name, sorted, looks)
    }

    /// Writes words as they come. Only sorted ones can be merged with another file's.
    pub(super) fn write_in_order<W: AsRef<[u8]>>(
        folder: &Path,
        name: String,
        words: impl Iterator<Item = (W, Counts)>,
        looks: &mut Looks<'_>,
    ) -> Result<Self> {
        let path = folder.join(&name);
        let failed = |source| Error::Io { doing: "writing", path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let staged = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder).map_err(failed)?;
        let mut to = BufWriter::with_capacity(1 << 16, staged);
        let mut written = Self { name, words: 0, checksum: 0 };
        let mut record = Vec::new();
        for (word, counts) in words {
            let word = word.as_ref();
            record.clear();
            number(&mut record, word.len() as u64);
            record.extend_from_slice(word);
            for count in [counts.learned, counts.heldout, zigzag(counts.correction)] {
                number(&mut record, count);
            }
            to.write_all(&record).map_err(failed)?;
            written.take_in(word, counts);
            looks.spend(record.len())?;
        }
        let staged = to.into_inner().map_err(|error| failed(error.into_error()))?;
        staged.persist(&path).map_err(|error| failed(error.error))?;
        Ok(written)
    }

    fn take_in(&mut self, word: &[u8], counts: Counts) {
        self.words += 1;
        let mix = |sum: u64, value: u64| (sum.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
        let sum = word.iter().fold(mix(self.checksum, word.len() as u64), |sum, byte| mix(sum, u64::from(*byte)));
        self.checksum = [counts.learned, counts.heldout, counts.correction as u64].into_iter().fold(sum, mix);
    }

    /// Opens the file for reading.
    fn open(&self, folder: &Path) -> Result<Reader> {
        let path = folder.join(&self.name);
        let file = File::open(&path).map_err(|source| Error::Io { doing: "reading", path: path.clone(), source })?;
        let read = Self { name: self.name.clone(), words: 0, checksum: 0 };
        Ok(Reader { from: BufReader::with_capacity(1 << 16, file), path, expected: self.clone(), read })
    }

    /// Whether the file holds what was written to it.
    pub(super) fn is_whole(&self, folder: &Path, looks: &mut Looks<'_>) -> Result<bool> {
        let Ok(mut reader) = self.open(folder) else { return Ok(false) };
        let mut word = Vec::new();
        loop {
            looks.spend(16 + word.len())?;
            match reader.next(&mut word) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    }
}

/// Reads a file of words, a word at a time.
struct Reader {
    from: BufReader<File>,
    path: PathBuf,
    expected: SortedFile,
    read: SortedFile,
}

impl Reader {
    /// The next word, written to a buffer, and its counts; none at the end.
    fn next(&mut self, word: &mut Vec<u8>) -> Result<Option<Counts>> {
        let failed = |path: &Path, source| Error::Io { doing: "reading", path: path.to_owned(), source };
        if self.from.fill_buf().map_err(|error| failed(&self.path, error))?.is_empty() {
            if self.read == self.expected {
                return Ok(None);
            }
            let problem = "not the words that were written to it; start the training anew".to_owned();
            return Err(Error::Malformed { path: self.path.clone(), problem });
        }
        let mut record = || {
            let len = read_number(&mut self.from)?;
            word.clear();
            (&mut self.from).take(len).read_to_end(word)?;
            let (learned, heldout) = (read_number(&mut self.from)?, read_number(&mut self.from)?);
            let correction = read_number(&mut self.from)?;
            Ok(Counts { learned, heldout, correction: (correction >> 1) as i64 ^ -((correction & 1) as i64) })
        };
        let counts = record().map_err(|error| failed(&self.path, error))?;
        self.read.take_in(word, counts);
        Ok(Some(counts))
    }
}

/// A word that stands at the front of its file.
struct Front {
    word: Vec<u8>,
    counts: Counts,
    reader: usize,
}

impl Ord for Front {
    fn cmp(&self, other: &Self) -> Ordering {
        self.word.cmp(&other.word).then(self.reader.cmp(&other.reader))
    }
}

impl PartialOrd for Front {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Front {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Front {}

/// Hands on each word of several files once, its counts summed.
pub(super) fn merged(
    folder: &Path,
    files: &[SortedFile],
    mut take: impl FnMut(&[u8], Counts) -> Result<()>,
) -> Result<()> {
    let mut readers = files.iter().map(|file| file.open(folder)).collect::<Result<Vec<Reader>>>()?;
    let mut fronts = BinaryHeap::with_capacity(readers.len());
    let mut refill = |reader: usize, mut word: Vec<u8>| {
        let counts = readers[reader].next(&mut word)?;
        Ok::<_, Error>(counts.map(|counts| Reverse(Front { word, counts, reader })))
    };
    for reader in 0..files.len() {
        fronts.extend(refill(reader, Vec::new())?);
    }
    while let Some(Reverse(mut first)) = fronts.pop() {
        while fronts.peek().is_some_and(|Reverse(other)| other.word == first.word) {
            if let Some(Reverse(same)) = fronts.pop() {
                first.counts += same.counts;
                fronts.extend(refill(same.reader, same.word)?);
            }
        }
        take(&first.word, first.counts)?;
        fronts.extend(refill(first.reader, first.word)?);
    }
    Ok(())
}

fn number(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn read_number(from: &mut BufReader<File>) -> std::io::Result<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7F).checked_shl(shift).unwrap_or(0);
        if byte[0] < 0x80 {
            return Ok(value);
        }
        shift += 7;
    }
}

const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::progress::{Recorder, Silent};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

        #[test]
        fn files_are_merged_into_one_table(
            words in prop::collection::vec(prop::collection::vec(
                ("[ab]{0,12}|\\PC{0,3}", any::<u64>().prop_map(|n| n >> 9), 0_u64..3, any::<i64>().prop_map(|n| n >> 9)),
                0..200,
            ), 0..5),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut looks = Looks::new(&Silent);
            let (mut files, mut map) = (Vec::new(), BTreeMap::<Vec<u8>, Counts>::new());
            for (at, words) in words.into_iter().enumerate() {
                let mut table = Table::default();
                for (word, learned, heldout, correction) in words {
                    let counts = Counts { learned, heldout, correction };
                    table.add(word.as_bytes(), counts);
                    *map.entry(word.into_bytes()).or_default() += counts;
                }
                files.push(SortedFile::write(folder.path(), format!("{at}"), &table, &mut looks).unwrap());
            }
            let mut found = Vec::new();
            merged(folder.path(), &files, |word, counts| {
                found.push((word.to_vec(), counts));
                Ok(())
            }).unwrap();
            prop_assert_eq!(found, map.into_iter().collect::<Vec<_>>());
            for file in &files {
                prop_assert!(file.is_whole(folder.path(), &mut looks).unwrap());
            }
        }
    }

    #[test]
    fn many_words_are_sorted_and_a_broken_file_is_noticed() {
        let mut table = Table::default();
        for n in 0..3 * CHUNK as u64 {
            table.add(format!("{}", n * 7919 % 100_003).as_bytes(), Counts { learned: n, ..Counts::default() });
        }
        let folder = tempfile::tempdir().unwrap();
        let mut looks = Looks::new(&Silent);
        let file = SortedFile::write(folder.path(), "words".to_owned(), &table, &mut looks).unwrap();
        let mut words = Vec::new();
        let read = merged(folder.path(), std::slice::from_ref(&file), |word, _| {
            words.push(word.to_vec());
            Ok(())
        });
        read.unwrap();
        assert_eq!(words.len(), table.len());
        assert!(words.is_sorted());

        let path = folder.path().join("words");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[1000] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(!file.is_whole(folder.path(), &mut looks).unwrap());
        std::fs::write(&path, &bytes[..5000]).unwrap();
        assert!(!file.is_whole(folder.path(), &mut looks).unwrap());
        let error = merged(folder.path(), &[file], |_, _| Ok(())).unwrap_err();
        assert!(error.to_string().contains("words"), "{error}");
    }

    #[test]
    fn a_stop_leaves_no_file() {
        let recorder = Recorder::default();
        recorder.request_stop();
        let mut table = Table::default();
        for n in 0..CHUNK as u64 {
            table.add(&n.to_le_bytes(), Counts::default());
        }
        let folder = tempfile::tempdir().unwrap();
        let written = SortedFile::write(folder.path(), "words".to_owned(), &table, &mut Looks::new(&recorder));
        assert!(matches!(written, Err(Error::Stopped)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
