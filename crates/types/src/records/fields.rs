use std::{collections::BTreeMap, str::FromStr};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::{Collection, Digest};

/// What is wrong with a record, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct DecodeError {
    /// The field, by its path (`layers[2].digest`).
    pub field: String,
    /// What was expected, for people.
    pub why: String,
}

impl DecodeError {
    pub(crate) fn new(field: impl Into<String>, why: impl ToString) -> Self {
        // A stranger's value can be long; the message is stored with each refused record.
        Self { field: field.into(), why: why.to_string().chars().take(300).collect() }
    }
}

/// A JSON object and its path, read field by field.
pub(super) struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The record itself: an object whose `$type`, if it has one, is its collection.
    pub fn root(value: &'a Value, collection: Collection) -> Result<Self, DecodeError> {
        let fields = Self::of(value, String::new())?;
        match fields.map.get("$type") {
            None => Ok(fields),
            Some(Value::String(name)) if name == collection.as_str() => Ok(fields),
            Some(other) => Err(DecodeError::new("$type", format!("{other} in the collection {collection}"))),
        }
    }

    fn of(value: &'a Value, path: String) -> Result<Self, DecodeError> {
        match value.as_object() {
            Some(map) => Ok(Self { path, map }),
            None => Err(DecodeError::new(if path.is_empty() { "$" } else { &path }, "not an object")),
        }
    }

    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// An error at one of this object's fields.
    pub fn error(&self, name: &str, why: impl ToString) -> DecodeError {
        DecodeError::new(self.at(name), why)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A field that must be text.
    pub fn text(&self, name: &str) -> Result<&'a str, DecodeError> {
        self.get(name)
            .ok_or_else(|| self.error(name, "missing"))?
            .as_str()
            .ok_or_else(|| self.error(name, "not a string"))
    }

    /// Text if it is there and is text; Postgres cannot store NUL, so it becomes U+FFFD.
    pub fn opt_text(&self, name: &str) -> Option<String> {
        self.get(name)?.as_str().map(without_nul)
    }

    /// A field that must parse.
    pub fn parse<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<T, DecodeError> {
        self.text(name)?.parse().map_err(|error: T::Err| self.error(name, error.to_string()))
    }

    /// A field that must parse if it is there.
    pub fn opt_parse<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, DecodeError> {
        if self.has(name) { self.parse(name).map(Some) } else { Ok(None) }
    }

    /// A digest that must be there.
    pub fn digest(&self, name: &str) -> Result<Digest, DecodeError> {
        self.parse(name)
    }

    /// A count or size: an integer from 0 to 2^53, beyond which JSON numbers lose their meaning.
    pub fn size(&self, name: &str) -> Result<i64, DecodeError> {
        let value = self.get(name).ok_or_else(|| self.error(name, "missing"))?;
        value
            .as_i64()
            .filter(|size| (0..=1 << 53).contains(size))
            .ok_or_else(|| self.error(name, format!("{value} is not an integer from 0 to 2^53")))
    }

    /// A count that is 0 when it is missing.
    pub fn count(&self, name: &str) -> Result<i64, DecodeError> {
        if self.has(name) { self.size(name) } else { Ok(0) }
    }

    /// A boolean, false when it is missing or anything else.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A time, if there is one that can be read. Years outside 1970–9999 are nonsense, and dropped.
    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        let time = DateTime::parse_from_rfc3339(self.get(name)?.as_str()?).ok()?.with_timezone(&Utc);
        (0..253_402_300_800).contains(&time.timestamp()).then_some(time)
    }

    /// An object field.
    pub fn object(&self, name: &str) -> Result<Option<Fields<'a>>, DecodeError> {
        self.get(name).map(|value| Self::of(value, self.at(name))).transpose()
    }

    /// A list of objects, empty when it is missing.
    pub fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>, DecodeError> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| self.error(name, "not a list"))?;
        items.iter().enumerate().map(|(i, item)| Self::of(item, format!("{}[{i}]", self.at(name)))).collect()
    }

    /// The strings of a list; anything else in it is skipped.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let items = self.get(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(without_nul).collect()
    }

    /// A map of strings; entries that are not strings are skipped.
    pub fn text_map(&self, name: &str) -> BTreeMap<String, String> {
        let map = self.get(name).and_then(Value::as_object);
        map.into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((without_nul(key), without_nul(value.as_str()?))))
            .collect()
    }
}

fn without_nul(s: &str) -> String {
    s.replace('\0', "\u{fffd}")
}
