//! A collection's documents, read and cut into passages by the product's code, with the
//! collection's own numbers.

use copydesk_domain::document::{Body, Chunk, MediaType};
use copydesk_domain::id::DocumentId;
use copydesk_knowledge::Hit;
use copydesk_reader::Upload;

use super::collection::Collection;

/// The passages of all documents.
pub(crate) struct Corpus {
    pub(crate) passages: Vec<Chunk>,
    /// The collection's number of each passage's document.
    numbers: Vec<(DocumentId, usize)>,
}

impl Corpus {
    /// Reads and cuts each document like an upload of plain text. Documents without text are left
    /// out, as they would be refused.
    pub(crate) fn read(collection: &Collection) -> Self {
        let (mut passages, mut numbers) = (Vec::new(), Vec::new());
        for document in &collection.documents {
            let body = Body::Text(document.text.clone());
            let upload = Upload { title: document.title.clone(), media_type: MediaType::Plain, body };
            let Ok(read) = copydesk_reader::read(&upload) else { continue };
            let document_id = DocumentId::new();
            numbers.push((document_id, document.number));
            passages.extend((0..).zip(read.chunks).map(|(ordinal, chunk)| Chunk {
                document_id,
                ordinal,
                heading_path: chunk.heading_path,
                text: chunk.text,
                title: document.title.clone(),
                url: None,
                language: read.language,
                kind: copydesk_domain::document::DocumentKind::Other,
            }));
        }
        numbers.sort_unstable_by_key(|(id, _)| *id);
        Self { passages, numbers }
    }

    /// The collection's numbers of the hits' documents, each once, in order.
    pub(crate) fn documents(&self, hits: &[Hit]) -> Vec<usize> {
        let mut documents = Vec::new();
        for hit in hits {
            let found = self.numbers.binary_search_by_key(&hit.chunk.document_id, |(id, _)| *id);
            let Some((_, number)) = found.ok().and_then(|at| self.numbers.get(at)) else { continue };
            if !documents.contains(number) {
                documents.push(*number);
            }
        }
        documents
    }

    /// This many passages, by repeating them.
    pub(crate) fn repeated(&self, size: usize) -> Vec<Chunk> {
        self.passages.iter().cycle().take(size).cloned().collect()
    }
}
