# The same Debian as below: what is linked here runs there.
FROM rust:1.95-trixie AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so that a change compiles this crate alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin vemsync \
    && install -D target/release/vemsync /out/vemsync \
    && strip --strip-debug /out/vemsync \
    && install -d /out/state

# The C library, time zones, and the certificate authorities that an Enterprise Manager's certificate is checked against.
# No shell and no package manager.
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /out/vemsync /usr/bin/vemsync
COPY --from=build --chown=65532:65532 /out/state /var/lib/vemsync
USER 65532:65532
# Where vemsync.toml is looked for, and vemsync.db is kept unless another database is named.
WORKDIR /var/lib/vemsync
EXPOSE 9399
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s CMD ["/usr/bin/vemsync", "health"]
ENTRYPOINT ["/usr/bin/vemsync"]
CMD ["run"]
