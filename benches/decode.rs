//! How fast answers become columns, by session type.

use divan::Bencher;
use divan::counter::BytesCount;
use vemsync::decode::decode;
use vemsync::kind::SessionKind;
use vemsync::kinds::KINDS;

mod pages;

fn main() {
    divan::main();
}

#[divan::bench(args = KINDS.iter().map(|kind| kind.name))]
fn page(bencher: Bencher<'_, '_>, name: &str) {
    let kind: &'static SessionKind = vemsync::kinds::kind(name).expect("one of them");
    let body = pages::newest(&[kind], 1).remove(0);
    bencher.counter(BytesCount::of_slice(&body)).bench(|| decode(kind.entity(), divan::black_box(&body)));
}
