//! The archive that a Word file is, and its parts. Names are those that the relations give: they
//! are conventions only.

use std::io::{BufReader, Cursor, Read, Take};

use quick_xml::events::Event;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::{FORMAT, MAX_PART_BYTES, attribute, damaged, events};
use crate::Unusable;

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Main,
    Styles,
    Footnotes,
    Endnotes,
}

impl Part {
    /// The last word of the type of relation that names it, and its usual name.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Main => ("officeDocument", "word/document.xml"),
            Self::Styles => ("styles", "word/styles.xml"),
            Self::Footnotes => ("footnotes", "word/footnotes.xml"),
            Self::Endnotes => ("endnotes", "word/endnotes.xml"),
        }
    }
}

/// The bytes of a part, within the limit.
pub(super) type Source<'a, 'f> = BufReader<Take<ZipFile<'a, Cursor<&'f [u8]>>>>;

/// A Word file.
pub(super) struct Package<'f> {
    archive: ZipArchive<Cursor<&'f [u8]>>,
    /// The main part's name.
    main: String,
    /// The names of the parts that it relates to.
    related: Vec<(Part, String)>,
}

impl<'f> Package<'f> {
    pub(super) fn open(file: &'f [u8]) -> Result<Self, Unusable> {
        let archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
        let mut package = Self { archive, main: String::new(), related: Vec::new() };
        let main = package.relations("")?.into_iter().find(|(part, _)| *part == Part::Main);
        package.main = main.map_or_else(|| Part::Main.names().1.to_owned(), |(_, name)| name);
        let main = package.main.clone();
        package.related = package.relations(&main)?;
        Ok(package)
    }

    /// A part's text; `None` if the file has no such part.
    pub(super) fn part(&mut self, part: Part) -> Result<Option<Source<'_, 'f>>, Unusable> {
        let related = self.related.iter().find(|(kind, _)| *kind == part).map(|(_, name)| name.clone());
        let name = if part == Part::Main { Some(self.main.clone()) } else { related };
        self.entry(&name.unwrap_or_else(|| part.names().1.to_owned()))
    }

    fn entry(&mut self, name: &str) -> Result<Option<Source<'_, 'f>>, Unusable> {
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(reason)) if reason == ZipError::PASSWORD_REQUIRED => {
                return Err(Unusable::Encrypted(FORMAT));
            }
            Err(error) => return Err(damaged(error)),
        };
        // One byte more than is allowed, to see that the limit is exceeded.
        Ok(Some(BufReader::new(entry.take(MAX_PART_BYTES + 1))))
    }

    /// The parts to which the part `of` relates; the file itself has an empty name.
    fn relations(&mut self, of: &str) -> Result<Vec<(Part, String)>, Unusable> {
        let (folder, file) = of.rsplit_once('/').unwrap_or(("", of));
        let slash = if folder.is_empty() { "" } else { "/" };
        let Some(relations) = self.entry(&format!("{folder}{slash}_rels/{file}.rels"))? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        events(relations, |event, _| {
            let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
            let Some((kind, target)) = attribute(tag, "Type").zip(attribute(tag, "Target")) else { return };
            let kind = kind.rsplit('/').next().unwrap_or_default();
            let parts = [Part::Main, Part::Styles, Part::Footnotes, Part::Endnotes];
            if let Some(part) = parts.into_iter().find(|part| part.names().0 == kind) {
                found.push((part, resolve(folder, &target)));
            }
        })?;
        Ok(found)
    }
}

/// The name in the archive of a target: it is relative to its part's folder unless it begins with
/// a slash.
fn resolve(folder: &str, target: &str) -> String {
    let (folder, target) = match target.strip_prefix('/') {
        Some(absolute) => ("", absolute),
        None => (folder, target),
    };
    let mut steps: Vec<&str> = Vec::new();
    for step in folder.split('/').chain(target.split('/')) {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}
