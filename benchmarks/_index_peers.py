"""The same job in other programs: index the text files of a folder with one model, keep it in a folder, do it again.

Each is run as ``python _index_peers.py NAME DOCUMENTS MODEL STATE`` by an interpreter that has the program, and prints
how many chunks it embedded in this run. Each splits with its own splitter, told to make chunks of about 128 tokens, and
uses what it has for doing only what is new.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 128


def counted(model: Any, name: str) -> list[int]:
    """Count the texts that a method is handed."""
    texts: list[int] = []
    method = getattr(model, name)

    def wrapped(given: Any, *args: Any, **more: Any) -> Any:
        texts.append(len(given))
        return method(given, *args, **more)

    object.__setattr__(model, name, wrapped)
    return texts


def langchain(documents: Path, model: str, state: Path) -> int:
    from langchain_classic.indexes import SQLRecordManager, index
    from langchain_community.docstore.in_memory import InMemoryDocstore
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from transformers import AutoTokenizer

    embeddings = HuggingFaceEmbeddings(model_name=model, model_kwargs={"device": "cpu"})
    texts = counted(embeddings, "embed_documents")
    tokenizer = AutoTokenizer.from_pretrained(model)
    splitter = RecursiveCharacterTextSplitter.from_huggingface_tokenizer(tokenizer, chunk_size=SIZE, chunk_overlap=0)
    if (state / "index.faiss").exists():
        store = FAISS.load_local(str(state), embeddings, allow_dangerous_deserialization=True)
    else:
        import faiss

        store = FAISS(embeddings, faiss.IndexFlatL2(384), InMemoryDocstore(), {})
    records = SQLRecordManager("bench", db_url=f"sqlite:///{state / 'records.sqlite'}")
    records.create_schema()
    whole = [Document(path.read_text("utf-8"), metadata={"source": path.name}) for path in sorted(documents.iterdir())]
    index(
        splitter.split_documents(whole), records, store,
        cleanup="incremental", source_id_key="source", key_encoder="blake2b",
    )  # fmt: skip
    store.save_local(str(state))
    return sum(texts)


def llamaindex(documents: Path, model: str, state: Path) -> int:
    from llama_index.core import Document
    from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.storage.docstore import SimpleDocumentStore
    from llama_index.core.vector_stores import SimpleVectorStore
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    embedding = HuggingFaceEmbedding(model_name=model, device="cpu", embed_batch_size=32)
    texts = counted(embedding, "_get_text_embeddings")
    splitter = SentenceSplitter(chunk_size=SIZE, chunk_overlap=0, tokenizer=tokenizer.tokenize)
    kept = (state / "pipeline").exists()
    pipeline = IngestionPipeline(
        transformations=[splitter, embedding],
        docstore=SimpleDocumentStore(),
        vector_store=SimpleVectorStore.from_persist_path(str(state / "vectors.json")) if kept else SimpleVectorStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS,
    )
    if kept:
        pipeline.load(str(state / "pipeline"))
    pipeline.run(
        documents=[Document(text=path.read_text("utf-8"), id_=path.name) for path in sorted(documents.iterdir())]
    )
    pipeline.persist(str(state / "pipeline"))
    pipeline.vector_store.persist(str(state / "vectors.json"))
    return sum(texts)


def haystack(documents: Path, model: str, state: Path) -> int:
    from haystack import Document, Pipeline
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.writers import DocumentWriter
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack.document_stores.types import DuplicatePolicy
    from haystack.utils import ComponentDevice
    from haystack_integrations.components.embedders.sentence_transformers import SentenceTransformersDocumentEmbedder

    store = InMemoryDocumentStore()  # what it keeps on disk it cannot compare: every run does everything
    line = Pipeline()
    line.add_component("split", DocumentSplitter(split_by="word", split_length=int(SIZE * 0.6), split_overlap=0))
    embedder = SentenceTransformersDocumentEmbedder(
        model=model, device=ComponentDevice.from_str("cpu"), progress_bar=False
    )
    line.add_component("embed", embedder)
    line.add_component("write", DocumentWriter(store, policy=DuplicatePolicy.OVERWRITE))
    line.connect("split", "embed")
    line.connect("embed", "write")
    whole = [
        Document(content=path.read_text("utf-8"), meta={"source": path.name}) for path in sorted(documents.iterdir())
    ]
    done = line.run({"split": {"documents": whole}})
    store.save_to_disk(str(state / "store.json"))
    return int(done["write"]["documents_written"])


def txtai(documents: Path, model: str, state: Path) -> int:
    from transformers import AutoTokenizer
    from txtai import Embeddings

    tokenizer = AutoTokenizer.from_pretrained(model)
    chunks = []
    for path in sorted(documents.iterdir()):
        words = path.read_text("utf-8").split(" ")
        part: list[str] = []
        size = 0
        for word in words:  # it brings no splitter by tokens; the cheapest there is
            cost = len(word) // 5 + 1
            if size + cost > SIZE and part:
                chunks.append((f"{path.name}#{len(chunks)}", " ".join(part), None))
                part, size = [], 0
            part.append(word)
            size += cost
        chunks.append((f"{path.name}#{len(chunks)}", " ".join(part), None))
    assert tokenizer is not None
    embeddings = Embeddings(path=model, content=True, backend="faiss", gpu=False)
    embeddings.index(chunks)
    embeddings.save(str(state / "index"))
    return len(chunks)


PROGRAMS: dict[str, Callable[[Path, str, Path], int]] = {
    "langchain": langchain,
    "llamaindex": llamaindex,
    "haystack": haystack,
    "txtai": txtai,
}

if __name__ == "__main__":
    name, documents, model, state = sys.argv[1:]
    print("embedded", PROGRAMS[name](Path(documents), model, Path(state)))
