//! How a business sounds, by its own documents.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::service::Service;

async fn document(service: &Service, pool: &PgPool, title: &str, content_type: &str, text: &str) {
    let body = json!({ "title": title, "text": text, "media_type": "text/plain", "content_type": content_type });
    service.post("/api/businesses/acme/documents", &body).await.expect(202);
    sqlx::query(
        "insert into chunks select id, 0, business_id, title, body, sha256(convert_to(body, 'utf8'))
         from brand_documents where title = $1",
    )
    .bind(title)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("update brand_documents set status = 'ready'").execute(pool).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_voice_is_told_in_sentences_with_examples(pool: PgPool) {
    let service = Service::start(&pool).await;
    let path = "/api/businesses/acme/voice";
    let none = service.get(path).await.expect(200).body;
    assert_eq!(
        none,
        json!({ "business_id": "acme", "content_type": null, "words": 0, "documents": 0, "traits": [], "terms": [],
                "degraded": ["too_little_text"] })
    );
    let care = "We see you today at our telecare desk. You meet one of us first. We listen before we advise. ";
    document(&service, &pool, "About us", "email", &care.repeat(10)).await;
    document(&service, &pool, "Blog", "blog", "Telecare is near. It costs nothing!").await;
    let voice = service.get(path).await.expect(200).body;
    assert_eq!((&voice["documents"], &voice["degraded"]), (&json!(2), &json!([])));
    assert!(voice["words"].as_u64().unwrap() > 180, "{voice}");
    let of = |name: &str| -> Value {
        let traits = voice["traits"].as_array().unwrap();
        traits.iter().find(|told| told["name"] == name).unwrap_or_else(|| panic!("{name} in {voice}")).clone()
    };
    let length = of("sentence_words");
    assert_eq!(
        (&length["unit"], &length["text"]),
        (&json!("words"), &json!("Sentences are short: 6 words in the mean."))
    );
    assert_eq!(of("we")["text"], "The business speaks of itself as \"we\".");
    let example = &of("we")["examples"][0];
    assert_eq!(
        (&example["title"], &example["text"]),
        (&json!("About us"), &json!("We see you today at our telecare desk."))
    );
    assert_eq!(of("exclamation_marks")["examples"][0]["text"], "It costs nothing!");
    let is_told = |term: &Value| term["term"].as_str().unwrap().contains("telecare") && term["count"] == 10;
    assert!(voice["terms"].as_array().unwrap().iter().any(is_told), "{voice}");
    let blog = service.get(&format!("{path}?content_type=blog")).await.expect(200).body;
    assert_eq!(service.get(&format!("{path}?content_type=Blog%20article")).await.expect(200).body, blog);
    let refused = service.get(&format!("{path}?content_type=blogg")).await.expect_problem(422);
    assert_eq!(refused.pointers(), ["/content_type"]);
    assert_eq!((&blog["documents"], &blog["degraded"]), (&json!(1), &json!(["too_little_text"])));
}
