# The image that a workflow's step runs: one static binary and nothing else.

FROM rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
WORKDIR /build
# It writes into the binary which packages, in which versions, it is built from. Without that, nothing
# that looks for vulnerable packages in images could say a word about this one.
RUN cargo install --locked cargo-auditable@0.7.7
# The examples, the simulated GitHub and the benchmark are not part of the action. Cargo looks for every member and
# target that a manifest names, though, so they are here as empty files.
COPY Cargo.toml Cargo.lock build.rs ./
COPY examples/Cargo.toml examples/
COPY tests/simulated-github/Cargo.toml tests/simulated-github/
RUN mkdir -p tests/simulated-github/src benches \
    && touch tests/simulated-github/src/lib.rs benches/ticket.rs
COPY src src
# Naming the target, even the machine's own, keeps the flags away from procedural macros, which cannot
# be linked statically. Where Rust links with its own lld, functions with the same code are folded into one:
# https://blog.rust-lang.org/2025/09/01/rust-lld-on-1.90.0-stable/
# There, too, code that stands in many functions becomes a function, as it does on Arm by itself
# (https://llvm.org/docs/MachineOutliner.html), and the binary is loaded at a fixed address. Together they save 5 %.
RUN machine="$(uname -m)" && target="$machine-unknown-linux-gnu" \
    && if [ "$machine" = x86_64 ]; then \
         small="-C link-arg=-Wl,--icf=all -C llvm-args=--enable-machine-outliner=always -C relocation-model=static"; fi \
    && RUSTFLAGS="-C target-feature=+crt-static ${small:-}" \
       cargo auditable build --release --locked --target "$target" --bin release-ticket-action \
    && mkdir /image \
    && mv "target/$target/release/release-ticket-action" /image/ \
    && ln -s release-ticket-action /image/release-ticket-action-post

# Nothing but the binary: it needs no shell and no C library, and carries the root certificates (crate
# webpki-roots). It runs as root, because a USER could not write the files that the runner mounts:
# https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support#user
FROM scratch
LABEL org.opencontainers.image.title="release-ticket-action" \
      org.opencontainers.image.description="Runs a release that spans several repositories from one GitHub issue" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# By its second name it is the post step of a job.
COPY --from=build /image /
ENTRYPOINT ["/release-ticket-action"]
