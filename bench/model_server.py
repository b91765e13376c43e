"""The OpenAI engine against a real local model: llama.cpp's server from `xllamacpp`, and any GGUF file.

    python -m bench.model_server --weights SmolLM2-135M-Instruct.Q4_1.gguf [--episodes 2]

What a very small model writes is nonsense; what is shown is that the protocol holds end to end (/v1/chat/completions with a JSON schema)
and that none of the nonsense becomes an insight that its own transcript does not prove. Each insight is proven again here.
"""

import argparse
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

from pydantic import SecretStr

from bench import machine
from tests.top5.insights.material import TURNS, episode
from tests.top5.insights.planted import talk
from top5.errors import Top5Error
from top5.insights.budget import Budget
from top5.insights.extract_openai import OpenAIEngine
from top5.insights.ground import Aligner, prove
from top5.insights.names import NameResolver
from top5.insights.sentences import split_sentences
from top5.settings import OpenAISettings


class _Nothing:
    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, body: bytes) -> None:
        return None


def serve(weights: Path, threads: int) -> Any:
    """llama.cpp's server on a free loopback port, in this process."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = 8192
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = threads
    parameters.sampling.seed = 1
    return xllamacpp.Server(parameters)


def main() -> None:
    """Print what happened."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="a GGUF file of an instruction-tuned model")
    parser.add_argument("--episodes", type=int, default=2, choices=(1, 2))
    parser.add_argument("--short", action="store_true", help="one turn of talk only, for slow machines")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-output-tokens", type=int, default=900)
    chosen = parser.parse_args()
    server = serve(chosen.weights, chosen.threads)
    settings = OpenAISettings(
        api_key=SecretStr("none"),
        base_url=f"{server.listening_address}/v1",
        model=chosen.weights.stem,
        temperature=0.0,
        timeout=900.0,
        max_retries=0,
        parallel_requests=1,
        chunk_tokens=500,
        max_output_tokens=chosen.max_output_tokens,
        usd_per_million_input_tokens=0.0,
        usd_per_million_output_tokens=0.0,
    )
    print(f"OpenAI engine against {chosen.weights.name} on llama.cpp ({machine.line()})")
    engine = OpenAIEngine(settings, 12, replies=_Nothing(), budget=Budget(1.0))
    ungrounded = 0
    sources = [episode(TURNS[4:5])] if chosen.short else [episode(), talk(injected=True)][: chosen.episodes]
    for source in sources:
        started = perf_counter()
        try:
            found = engine.extract(source)
        except Top5Error as error:
            print(f"  {error.reason}: {error.message}")
            continue
        seconds = perf_counter() - started
        aligner, names = Aligner(split_sentences(source.segments)), NameResolver(source)
        ungrounded += sum(bool(prove(insight, aligner, names.known_names)) for insight in found.insights)
        usage = found.usage
        gates = Counter({count.reason: count.count for count in found.rejection_counts})
        print(f"  {usage.requests} requests, {usage.input_tokens} tokens in, {usage.output_tokens} out, {seconds:.0f} s")
        print(
            f"  insights {len(found.insights)}, rejected: " + ", ".join(f"{gate} {count}" for gate, count in gates.most_common())
        )
        for rejection in found.rejections[:3]:
            print(f"    {rejection.reason}: {rejection.detail[:110]}")
    print(f"  ungrounded insights: {ungrounded}   (aim: 0)")


if __name__ == "__main__":
    main()
