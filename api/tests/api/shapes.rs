//! Values of another shape than the reference describes are refused, in every operation that takes
//! JSON.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::reference::concrete;
use crate::service::{Answer, Service, with};

/// An operation that takes JSON.
struct Operation {
    method: Method,
    path: String,
    /// What it takes, with references followed.
    schema: Value,
}

impl Operation {
    async fn send(&self, service: &Service, body: &Value) -> Answer {
        let request = service.request(self.method.clone(), &concrete(&self.path)).json(body);
        Answer::of(request.send().await.unwrap()).await
    }
}

/// All operations of the reference that take JSON.
fn operations(reference: &Value) -> Vec<Operation> {
    let paths = reference["paths"].as_object().unwrap().iter();
    let all =
        paths.flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(method, it)| (path, method, it)));
    let taking = all.filter_map(|(path, method, operation)| {
        let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
        Some(Operation {
            method: method.to_uppercase().parse().unwrap(),
            path: path.clone(),
            schema: resolved(reference, schema).clone(),
        })
    });
    taking.collect()
}

/// The schema itself, not a reference to it, and of a choice the one that is not null.
fn resolved<'a>(reference: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        return resolved(reference, reference.pointer(name.trim_start_matches('#')).unwrap());
    }
    let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    match choices.into_iter().flatten().find(|choice| choice["type"] != "null") {
        Some(choice) => resolved(reference, choice),
        None => schema,
    }
}

fn is_of_type(schema: &Value, name: &str) -> bool {
    schema["type"] == name || schema["type"].as_array().is_some_and(|types| types.contains(&json!(name)))
}

#[sqlx::test(migrations = "../migrations")]
async fn arrays_are_no_objects(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reference = service.get("/openapi.json").await.expect(200).body;
    let operations = operations(&reference);
    assert!(operations.len() >= 11, "only {} operations were found", operations.len());
    for operation in operations {
        let fields = operation.schema["properties"].as_object().unwrap();
        let example = &operation.schema["example"];
        let values: Vec<_> = fields.keys().map(|name| example[name].clone()).collect();
        let nulls = (0..=fields.len()).map(|count| json!(vec![Value::Null; count]));
        for array in nulls.chain([json!(values), json!([example])]) {
            let answer = operation.send(&service, &array).await.expect_problem(422);
            assert_eq!(answer.pointers(), [""], "{} {} {array}", operation.method, operation.path);
        }
        for (name, schema) in fields {
            let schema = resolved(&reference, schema);
            if is_of_type(schema, "object") {
                let answer = operation.send(&service, &with(example.clone(), name, json!([]))).await;
                assert_eq!(answer.expect_problem(422).pointers(), [format!("/{name}")], "{}", operation.path);
            }
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn objects_are_no_words(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reference = service.get("/openapi.json").await.expect(200).body;
    let mut seen = 0;
    for operation in operations(&reference) {
        for (name, schema) in operation.schema["properties"].as_object().unwrap() {
            for word in resolved(&reference, schema)["enum"].as_array().into_iter().flatten() {
                let object = json!({ word.as_str().unwrap(): null });
                let body = with(operation.schema["example"].clone(), name, object);
                let answer = operation.send(&service, &body).await.expect_problem(422);
                assert_eq!(answer.pointers(), [format!("/{name}")], "{} {body}", operation.path);
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "only {seen} words were tried");
}

#[sqlx::test(migrations = "../migrations")]
async fn integers_are_taken_however_they_are_written(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reference = service.get("/openapi.json").await.expect(200).body;
    let mut seen = 0;
    for operation in operations(&reference) {
        for (name, schema) in operation.schema["properties"].as_object().unwrap() {
            let schema = resolved(&reference, schema);
            let (true, Some(least)) = (is_of_type(schema, "integer"), schema["minimum"].as_i64()) else { continue };
            for (number, is_taken) in
                [(format!("{least}.0"), true), (format!("{least}e0"), true), (format!("{least}.5"), false)]
            {
                let number: Value = serde_json::from_str(&number).unwrap();
                let answer = operation.send(&service, &with(operation.schema["example"].clone(), name, number)).await;
                let is_refused = answer.pointers().contains(&format!("/{name}").as_str());
                assert_ne!(is_refused, is_taken, "{} {name}: {answer:?}", operation.path);
                seen += 1;
            }
        }
    }
    assert!(seen >= 30, "only {seen} numbers were tried");
}
