// llama.cpp's batched decoding without any JavaScript: the fairest figure for the peer, and the one
// to beat. Links against the libraries that node-llama-cpp ships; the headers come out of the source
// bundle in the same package (see buildLlamaCpp.sh). Speaks the JSON lines of lineProcess.ts:
//
//   load     {file, bos, sequences, tokens, threads, flashAttention} -> {system}
//   generate {seed, temperature (0: greedy), sampler: chain|graph} -> {seconds, tokens: [[...], ...]}
//            from the BOS token, `tokens` tokens for each of `sequences`, continuing after EOS
//
// `chain` samples each row with llama.cpp's CPU samplers, as its own examples do; `graph` lets the
// model's graph do it (llama_set_sampler), where the logits are never copied out.
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"
#include "nlohmann/json.hpp"

using json = nlohmann::json;

struct Bench {
  llama_model * model = nullptr;
  llama_context * context = nullptr;
  std::string file;
  int sequences = 0;
  llama_token bos = 0;
  int tokens = 0;
  llama_context_params params;

  json load(const json & request) {
    release();
    sequences = request["sequences"];
    tokens = request["tokens"];
    bos = request["bos"];
    if (model == nullptr || file != request["file"]) {
      if (model != nullptr) llama_model_free(model);
      file = request["file"];
      model = llama_model_load_from_file(file.c_str(), llama_model_default_params());
      if (model == nullptr) throw std::runtime_error("could not load " + file);
    }
    params = llama_context_default_params();
    // A multiple of 256 cells for each sequence, as llama.cpp rounds it to anyway.
    params.n_ctx = sequences * ((tokens + 256) / 256) * 256;
    params.n_batch = params.n_ubatch = sequences > 32 ? sequences : 32;
    params.n_seq_max = sequences;
    params.n_threads = params.n_threads_batch = request["threads"];
    params.flash_attn_type = request["flashAttention"] ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                       : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.kv_unified = false;
    params.no_perf = true;
    return {{"system", llama_print_system_info()}};
  }

  json generate(const json & request) {
    const float temperature = request["temperature"];
    const uint32_t seed = request["seed"];
    const bool graph = request["sampler"] == "graph";
    std::vector<llama_sampler *> samplers;
    std::vector<llama_sampler_seq_config> configs;
    for (int s = 0; s < sequences; s++) {
      auto * chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
      if (temperature > 0) {
        if (temperature != 1) llama_sampler_chain_add(chain, llama_sampler_init_temp(temperature));
        llama_sampler_chain_add(chain, llama_sampler_init_dist(seed + s));
      } else {
        llama_sampler_chain_add(chain, llama_sampler_init_greedy());
      }
      samplers.push_back(chain);
      configs.push_back({s, chain});
    }
    // A new context, not timed: a sampler in the graph belongs to its context.
    if (context != nullptr) llama_free(context);
    params.samplers = graph ? configs.data() : nullptr;
    params.n_samplers = graph ? configs.size() : 0;
    context = llama_init_from_model(model, params);
    if (context == nullptr) throw std::runtime_error("could not create a context");

    std::vector<std::vector<llama_token>> out(sequences);
    llama_batch batch = llama_batch_init(sequences, 0, 1);
    // The first run plans the graph and starts the threads.
    decode(batch, 0, std::vector<llama_token>(sequences, bos));
    llama_memory_clear(llama_get_memory(context), true);

    std::vector<llama_token> last(sequences, bos);
    const auto start = std::chrono::steady_clock::now();
    for (int t = 0; t < tokens; t++) {
      decode(batch, t, last);
      for (int s = 0; s < sequences; s++) {
        last[s] = llama_sampler_sample(samplers[s], context, s);
        out[s].push_back(last[s]);
      }
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    llama_batch_free(batch);
    llama_free(context);
    context = nullptr;
    for (auto * sampler : samplers) llama_sampler_free(sampler);
    return {{"seconds", seconds.count()}, {"tokens", out}};
  }

  void decode(llama_batch & batch, int position, const std::vector<llama_token> & tokens) {
    batch.n_tokens = sequences;
    for (int s = 0; s < sequences; s++) {
      batch.token[s] = tokens[s];
      batch.pos[s] = position;
      batch.n_seq_id[s] = 1;
      batch.seq_id[s][0] = s;
      batch.logits[s] = true;
    }
    const int code = llama_decode(context, batch);
    if (code != 0) throw std::runtime_error("llama_decode failed: " + std::to_string(code));
  }

  void release() {
    if (context != nullptr) llama_free(context);
    context = nullptr;
  }
};

int main(int count, char ** arguments) {
  if (count != 2) return 2;  // the folder of the libraries
  llama_log_set(
      [](ggml_log_level level, const char * text, void *) {
        if (level >= GGML_LOG_LEVEL_WARN) std::cerr << text;
      },
      nullptr);
  ggml_backend_load_all_from_path(arguments[1]);
  Bench bench;
  std::string line;
  while (std::getline(std::cin, line)) {
    const json request = json::parse(line);
    const std::string command = request["command"];
    if (command == "quit") return 0;
    json answer = {{"id", request["id"]}, {"ok", true}};
    try {
      if (command == "load") answer["result"] = bench.load(request);
      else if (command == "generate") answer["result"] = bench.generate(request);
      else throw std::runtime_error("no command " + command);
    } catch (const std::exception & error) {
      answer = {{"id", request["id"]}, {"ok", false}, {"error", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
}
