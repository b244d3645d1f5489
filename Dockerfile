FROM rust:1.95-slim-trixie AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so that a change compiles this crate alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin vemsync \
    && install -D target/release/vemsync /out/vemsync

FROM debian:trixie-slim
# The system's certificate authorities are those that an Enterprise Manager's certificate is checked against.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 1000 -g 1000 /var/lib/vemsync
COPY --from=build /out/vemsync /usr/local/bin/vemsync
USER 1000:1000
# Where vemsync.toml is looked for, and vemsync.db is kept unless another database is named.
WORKDIR /var/lib/vemsync
EXPOSE 9399
ENTRYPOINT ["vemsync"]
CMD ["run"]
