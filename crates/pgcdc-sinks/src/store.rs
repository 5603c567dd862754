//! A store's configuration, and the row that describes a kind of store.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pgcdc_config::Section;

use crate::{Sink, SinkError};

/// What a `[[sink]]` table says of its store, checked: it opens the store.
///
/// Reading the configuration ([`Kind::parse`]) touches nothing outside of the file, so that `pgcdc sink --check` needs no
/// store. Opening connects. The runner opens a store again and again while it is away, so a sink may start before its store.
///
/// ```
/// use std::sync::Arc;
/// use pgcdc_sinks::{Batch, Outcome, Sink, SinkError, Store, async_trait};
///
/// #[derive(Debug)]
/// struct FolderConfig { path: std::path::PathBuf }
///
/// #[derive(Debug)]
/// struct Folder;
///
/// #[async_trait]
/// impl Store for FolderConfig {
///     async fn open(&self) -> Result<Arc<dyn Sink>, SinkError> {
///         std::fs::create_dir_all(&self.path)
///             .map_err(|error| SinkError::transient(format!("cannot make the folder: {error}")))?;
///         Ok(Arc::new(Folder))
///     }
/// }
/// # #[async_trait]
/// # impl Sink for Folder {
/// #     async fn check(&self) -> Result<(), SinkError> { Ok(()) }
/// #     async fn write(&self, _: &Batch<'_>) -> Result<Outcome, SinkError> { Ok(Outcome::durable()) }
/// # }
/// let missing = FolderConfig { path: "/proc/nowhere".into() };
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
/// let error = runtime.block_on(missing.open()).expect_err("nothing can be made there");
/// assert!(error.to_string().starts_with("cannot make the folder"));
/// ```
#[async_trait]
pub trait Store: Any + fmt::Debug + Send + Sync {
    /// Opens the store.
    ///
    /// # Errors
    /// Fatal when the store refuses the configuration; transient while the store does not answer.
    async fn open(&self) -> Result<Arc<dyn Sink>, SinkError>;
}

/// A kind of store: what `type = "…"` may say. All of them stand in [`KINDS`](crate::kinds::KINDS).
///
/// ```
/// let http = pgcdc_sinks::kinds::kind("http").expect("a store of this build");
/// let timeout = http.keys.iter().find(|key| key.name == "timeout").expect("it has a timeout");
/// assert_eq!((timeout.value, timeout.default), ("duration", "10s"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The word behind `type`.
    pub name: &'static str,
    /// What the store does with a change, in one sentence.
    pub about: &'static str,
    /// How many records a batch has at most, unless `batch.max` says otherwise.
    pub batch_max: usize,
    /// The store's own keys.
    pub keys: &'static [Key],
    /// Reads these keys; `None` when one of them has a mistake, which is noted in the section.
    pub parse: fn(&mut Section<'_, '_>) -> Option<Arc<dyn Store>>,
}

/// A key of the configuration, as CONFIGURATION.md describes it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name; `table.key` for a key within a table.
    pub name: &'static str,
    /// The type of its value: text, texts, number, numbers, duration, boolean, table, secret.
    pub value: &'static str,
    /// The value when the key is not set: empty when there is none, `required` when the key must be set.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// A row of a table of keys.
pub(crate) const fn key(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { name, value, default, about }
}
