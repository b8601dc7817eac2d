//! What requests take, as far as attributes of fields cannot say it: text without NUL, text that is
//! not blank, a verdict that says something. The schemas of parameters and bodies are completed
//! here; [`crate::validate`] and [`crate::extract`] enforce the same.

use copydesk_domain::access::{KeyKind, Scope};
use copydesk_domain::document::MediaType;
use copydesk_domain::format::Format;
use serde_json::{Value, json};
use utoipa::openapi::encoding::EncodingBuilder;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayItems, Object, ObjectBuilder, OneOf, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Components, RefOr};

/// Text that Postgres can store.
const NO_NUL: &str = r"^[^\u0000]*$";
/// White space, as Rust trims it.
const SPACE: &str = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
/// Control characters.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";
/// Addresses that everybody takes for one; some that are stranger are taken as well.
const WEB_URL: &str = r"https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,4})?([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?";
/// Lists of texts that are not blank.
const LISTS: [&str; 2] = ["keywords", "banned_phrases"];

/// Completes the schemas of bodies.
pub(super) fn complete(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        let is_body = name.ends_with("Request") || name.ends_with("Form") || name.ends_with("Change");
        if let (true, RefOr::T(Schema::Object(object))) = (is_body, schema) {
            object.properties.iter_mut().for_each(|(name, schema)| complete_field(name, schema));
            match name.as_str() {
                "FeedbackRequest" => object.extensions = Some(Extensions::from_iter([("not", says_nothing())])),
                "KeyRequest" => {
                    object.extensions = Some(Extensions::from_iter([("anyOf", fits_kind())]));
                    if let Some(name) = object.properties.get_mut("name") {
                        on_a_line(name);
                    }
                }
                "LessonChange" => object.extensions = Some(Extensions::from_iter([("anyOf", changes_something())])),
                "DocumentRequest" => of_text(object.properties.get_mut("media_type")),
                "GenerateBatchRequest" => object.properties.get_mut("requests").map_or((), or_anything),
                _ => {}
            }
        }
    }
}

/// Completes the schemas of parameters and the encoding of a form.
pub(super) fn complete_operation(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(schema) = &mut parameter.schema
        {
            never_null(schema);
            if parameter.parameter_in == ParameterIn::Query {
                complete_field(&parameter.name, schema);
            }
        }
    }
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    if let Some(RefOr::T(content)) = body.content.get_mut("multipart/form-data") {
        let kinds: Vec<_> = MediaType::ALL.iter().map(|kind| kind.as_str()).collect();
        content.encoding.insert("file".to_owned(), EncodingBuilder::new().content_type(Some(kinds.join(", "))).build());
    }
}

fn complete_field(name: &str, schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) if is_text(&object.schema_type) => {
            object.pattern = pattern(name).or_else(|| {
                let is_free = object.pattern.is_none() && object.format.is_none() && object.enum_values.is_none();
                if is_free { Some(NO_NUL.to_owned()) } else { object.pattern.take() }
            });
        }
        RefOr::T(Schema::Array(array)) if LISTS.contains(&name) => {
            let item = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(100));
            array.items = ArrayItems::RefOrSchema(Box::new(item.pattern(Some(not_blank())).into()));
        }
        _ => {}
    }
}

/// What a text field takes whose name tells it.
fn pattern(name: &str) -> Option<String> {
    // White space around it is taken too. A pattern with it would be no bound: it counts in `maxLength`.
    let or_blank = |text: &str| format!("^({text})?$");
    match name {
        "topic" | "title" | "q" | "text" => Some(not_blank()),
        "format" | "content_type" => Some(format_name()),
        "language" | "default_language" => Some(or_blank("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")),
        "url" => Some(or_blank(WEB_URL)),
        _ => None,
    }
}

/// Text without control characters that is not blank.
fn on_a_line(text: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(text)) = text {
        text.pattern = Some(format!("^[^{CONTROL}]*[^{CONTROL}{SPACE}][^{CONTROL}]*$"));
    }
}

/// Text comes as JSON, files only in a form.
fn of_text(media_type: Option<&mut RefOr<Schema>>) {
    let Some(media_type) = media_type else { return };
    let words = MediaType::ALL.iter().filter(|kind| kind.is_text()).map(|kind| kind.as_str());
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some("The media type of the text; `text/markdown` if it is missing."));
    let text = OneOfBuilder::new().item(text).item(ObjectBuilder::new().schema_type(Type::Null));
    *media_type = text.into();
}

/// Each request of a batch is refused by itself, whatever it is.
fn or_anything(requests: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Array(array)) = requests
        && let ArrayItems::RefOrSchema(request) = &array.items
    {
        let anything = ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .description(Some("Anything else is refused in its own entry of the answer."));
        let either = AnyOfBuilder::new().item((**request).clone()).item(anything);
        array.items = ArrayItems::RefOrSchema(Box::new(either.into()));
    }
}

fn is_text(kind: &SchemaType) -> bool {
    match kind {
        SchemaType::Type(kind) => *kind == Type::String,
        SchemaType::Array(kinds) => kinds.contains(&Type::String),
        SchemaType::AnyValue => false,
    }
}

/// A parameter has no way to be null: it is there or not.
fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(Object { schema_type, .. })) => {
            if let SchemaType::Array(kinds) = schema_type {
                kinds.retain(|kind| *kind != Type::Null);
                if let [kind] = kinds.as_slice() {
                    *schema_type = SchemaType::Type(kind.clone());
                }
            }
        }
        RefOr::T(Schema::OneOf(OneOf { items, .. })) => {
            let is_null = |item: &RefOr<Schema>| matches!(item, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null));
            items.retain(|item| !is_null(item));
            if let [only] = items.as_slice() {
                *schema = only.clone();
            }
        }
        _ => {}
    }
}

fn not_blank() -> String {
    format!(r"^[^\u0000]*[^\u0000{SPACE}][^\u0000]*$")
}

/// What a verdict must not be: nothing in any of its fields.
fn says_nothing() -> Value {
    json!({
        "properties": {
            "human_approved": { "type": "null" },
            "human_score": { "type": "null" },
            "human_feedback": { "type": ["string", "null"], "pattern": format!("^[{SPACE}]*$") },
        },
    })
}

/// An operator's key, or scopes that a tenant's key takes.
fn fits_kind() -> Value {
    let of_tenants: Vec<_> = Scope::ALL.iter().filter(|scope| !scope.is_for_operators()).collect();
    json!([
        { "required": ["kind"], "properties": { "kind": { "const": KeyKind::Operator } } },
        { "properties": { "scopes": { "items": { "enum": of_tenants } } } },
    ])
}

/// A lesson's status or its text, neither of them null.
fn changes_something() -> Value {
    let changes = |name: &str| json!({ "required": [name], "properties": { (name): { "not": { "type": "null" } } } });
    json!([changes("status"), changes("text")])
}

/// A format by name or slug, in any case, with white space around it.
fn format_name() -> String {
    let any_case = |text: &str| -> String {
        let either = |c: char| match (c.to_ascii_lowercase(), c.to_ascii_uppercase()) {
            (lower, upper) if lower != upper => format!("[{lower}{upper}]"),
            (same, _) => same.to_string(),
        };
        text.chars().map(either).collect()
    };
    let names: Vec<_> = Format::ALL.iter().flat_map(|format| [format.slug(), format.name()]).map(any_case).collect();
    format!("^[{SPACE}]*({})[{SPACE}]*$", names.join("|"))
}
