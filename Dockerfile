# The API and the worker in one image: compose.yaml says which of them a container runs.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /copydesk
COPY . .
# .sqlx holds the query data: no database is needed to build.
ENV SQLX_OFFLINE=true
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/copydesk/target \
    cargo build --release --locked -p copydesk-api -p copydesk-worker \
    && install -D -t /out target/release/copydesk-api target/release/copydesk-worker

FROM debian:bookworm-slim
# Certificates to reach the providers, curl for the health checks, and poppler to read PDFs.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl poppler-data poppler-utils \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home copydesk
COPY --from=build /out/ /usr/local/bin/
USER copydesk
ENV COPYDESK_API_LISTEN=0.0.0.0:8080 COPYDESK_WORKER_LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
CMD ["copydesk-api"]
