//! Vectors for an index: a new model means that everything is embedded again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use npyz::WriterBuilder as _;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::{Error, Result};
use crate::encoder::Embeddings;
use crate::workspace::{Error as WorkspaceError, write_atomic};

/// Rows of a Parquet row group: some megabytes at usual dimensions.
const ROWS_OF_A_GROUP: usize = 8192;

/// Writes vectors and their ids, in the format that the file's name ends in: `.npy` (`[rows, dim]` f32, the ids one a line in
/// `NAME.ids.txt` beside it) or `.parquet` (columns `id` and `embedding`, a list of floats).
pub fn write_vectors(path: &Path, ids: &[&str], embeddings: &Embeddings) -> Result<()> {
    write_vectors_with_texts(path, ids, None, embeddings)
}

/// The same with a column `text` in Parquet; `.npy` has no place for one.
pub fn write_vectors_with_texts(
    path: &Path,
    ids: &[&str],
    texts: Option<&[&str]>,
    embeddings: &Embeddings,
) -> Result<()> {
    for list in [Some(ids), texts].into_iter().flatten() {
        if list.len() != embeddings.len() {
            return Err(Error::Count { ids: list.len(), rows: embeddings.len() });
        }
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => {
            whole(path, |file| write_npy(file, embeddings).map_err(|error| error.to_string()))?;
            let list: String = ids.iter().flat_map(|id| [id, "\n"]).collect();
            Ok(write_atomic(&path.with_extension("ids.txt"), list.as_bytes())?)
        }
        Some("parquet") => {
            whole(path, |file| write_parquet(file, ids, texts, embeddings).map_err(|error| error.to_string()))
        }
        _ => Err(Error::UnknownFormat(path.to_owned())),
    }
}

/// Writes through a file beside the wanted one, renamed when it is complete; streams, since vectors may be large.
fn whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<(), String>) -> Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(WorkspaceError::io("making", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".writing-{}-{name}", std::process::id()));
    let written = || -> Result<()> {
        let failed = |problem: String| Error::Vectors { path: path.to_owned(), problem };
        let mut file = BufWriter::new(File::create(&beside).map_err(WorkspaceError::io("writing", path))?);
        write(&mut file).map_err(failed)?;
        let file = file.into_inner().map_err(|error| WorkspaceError::io("writing", path)(error.into_error()))?;
        file.sync_all().map_err(WorkspaceError::io("writing", path))?;
        Ok(std::fs::rename(&beside, path).map_err(WorkspaceError::io("writing", path))?)
    };
    written().inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}

fn write_npy(file: &mut impl Write, embeddings: &Embeddings) -> std::io::Result<()> {
    let shape = [embeddings.len() as u64, embeddings.dim as u64];
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
    writer.extend(embeddings.data.iter().copied())?;
    writer.finish()
}

fn write_parquet(
    file: &mut (impl Write + Send),
    ids: &[&str],
    texts: Option<&[&str]>,
    embeddings: &Embeddings,
) -> Result<(), ParquetError> {
    let text = if texts.is_some() { "required binary text (UTF8);" } else { "" };
    // The three-level list that the format prescribes: others are read as nested records by some.
    let schema = format!(
        "message vectors {{
            required binary id (UTF8);
            {text}
            required group embedding (LIST) {{ repeated group list {{ required float element; }} }}
        }}"
    );
    let properties = WriterProperties::builder()
        .set_created_by(format!("lapidary {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::UNCOMPRESSED)
        // Embeddings repeat nothing, and their least and greatest values tell nothing.
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(parse_message_type(&schema)?), Arc::new(properties))?;
    for begin in (0..ids.len()).step_by(ROWS_OF_A_GROUP) {
        let rows = begin..(begin + ROWS_OF_A_GROUP).min(ids.len());
        let mut group = writer.next_row_group()?;
        write_strings(&mut group, &ids[rows.clone()])?;
        if let Some(texts) = texts {
            write_strings(&mut group, &texts[rows.clone()])?;
        }
        let values = &embeddings.data[rows.start * embeddings.dim..rows.end * embeddings.dim];
        write_lists(&mut group, values, embeddings.dim)?;
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn write_strings<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[&str],
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = values.iter().map(|value| ByteArray::from(*value)).collect();
    let mut column =
        group.next_column()?.ok_or_else(|| ParquetError::General("the schema has no such column".to_owned()))?;
    column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
    column.close()
}

fn write_lists<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[f32],
    dim: usize,
) -> Result<(), ParquetError> {
    // Every element is there (definition level 1); the first of a row begins a list (repetition level 0).
    let definition = vec![1; values.len()];
    let repetition: Vec<i16> = (0..values.len()).map(|at| i16::from(at % dim != 0)).collect();
    let mut column =
        group.next_column()?.ok_or_else(|| ParquetError::General("the schema has no such column".to_owned()))?;
    column.typed::<FloatType>().write_batch(values, Some(&definition), Some(&repetition))?;
    column.close()
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::{ListAccessor as _, RowAccessor as _};

    use super::*;

    fn vectors(rows: usize) -> (Vec<String>, Embeddings) {
        let data = (0..rows * 3).map(|n| n as f32 / 7.0 - 1.0).collect();
        ((0..rows).map(|n| format!("id {n} ö")).collect(), Embeddings::new(3, data))
    }

    #[test]
    fn npy_is_read_back_with_its_ids() {
        let folder = tempfile::tempdir().unwrap();
        let (ids, embeddings) = vectors(5);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let path = folder.path().join("new/v.npy");
        write_vectors(&path, &ids, &embeddings).unwrap();
        let npy = npyz::NpyFile::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(npy.shape(), [5, 3]);
        assert_eq!(npy.into_vec::<f32>().unwrap(), embeddings.data);
        let list = std::fs::read_to_string(folder.path().join("new/v.ids.txt")).unwrap();
        assert_eq!(list.lines().collect::<Vec<_>>(), ids);
    }

    #[test]
    fn parquet_is_read_back_over_row_groups() {
        let folder = tempfile::tempdir().unwrap();
        let (ids, embeddings) = vectors(ROWS_OF_A_GROUP + 2);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let path = folder.path().join("v.parquet");
        write_vectors_with_texts(&path, &ids, Some(&ids), &embeddings).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let mut seen = 0;
        for (at, row) in reader.get_row_iter(None).unwrap().enumerate() {
            let row = row.unwrap();
            let list = row.get_list(2).unwrap();
            let values: Vec<f32> = (0..list.len()).map(|n| list.get_float(n).unwrap()).collect();
            assert_eq!((row.get_string(0).unwrap().as_str(), values.as_slice()), (ids[at], embeddings.row(at)));
            assert_eq!(row.get_string(1).unwrap(), ids[at]);
            seen += 1;
        }
        assert_eq!(seen, ids.len());
    }

    #[test]
    fn an_unknown_ending_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (_, embeddings) = vectors(1);
        let error = write_vectors(&folder.path().join("v.csv"), &["a"], &embeddings).unwrap_err().to_string();
        assert!(error.contains(".npy or .parquet"), "{error}");
        assert!(write_vectors(&folder.path().join("v.npy"), &["a", "b"], &embeddings).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
