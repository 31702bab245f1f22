/**
 * Every code that an error or a warning of ours can carry, by the room that gives it first, with
 * what it means. People search for a code and scripts compare it, so a code keeps its meaning
 * forever. A test holds that each of them is given somewhere and provoked by some test.
 */
export const errorCodes = [
  // Everywhere
  'INTERNAL', // A bug in CFS Studio: something other than a `CfsError` was thrown.
  'OTHER_VERSION', // An error with a code that only another version of CFS Studio knows.
  'READ_FAILED', // A file of the run folder could not be read.
  'RECORD_BROKEN', // A file of the run folder does not hold what we wrote.
  'WRITE_FAILED', // A file or folder could not be written.

  // runtime
  'PROVIDER_FAILED', // The provider that was asked for does not work on this machine.
  'SESSION_FAILED', // ONNX Runtime refused a graph.

  // model: the folder
  'MODEL_FOLDER_MISSING', // There is no folder at the model's path.
  'MODEL_CONFIG_MISSING', // The folder has no config.json.
  'MODEL_CONFIG_INVALID', // config.json contradicts itself or is not of its family.
  'MODEL_UNSUPPORTED', // A family or a variant of it that we cannot run.
  'MODEL_FORMAT', // The weights are only there in a format other than safetensors.
  'MODEL_WEIGHTS_MISSING', // There are no weights at all.
  'MODEL_FILE_INVALID', // A JSON file of the model is not JSON or not what it should be.
  'MODEL_FILE_UNREADABLE', // A file of the model could not be read.
  'MODEL_PATH_OUTSIDE', // A file name leads out of the model folder.

  // model: the weights
  'SAFETENSORS_INVALID', // A safetensors file is damaged.
  'SHARD_MISSING', // A weights file named by the index is not there.
  'SHARD_MISMATCH', // A weights file lacks a tensor that the index places in it.
  'TENSOR_MISSING', // The weights lack a tensor that the model needs.
  'TENSOR_SHAPE', // A tensor has another shape than config.json says.
  'TENSOR_DTYPE', // A tensor has an element type that we cannot read.
  'WEIGHTS_NOT_FINITE', // A weight is NaN or infinite, as read or as about to be saved.
  'OUT_OF_MEMORY', // A tensor does not fit into memory.
  'SAVE_TARGET_IN_USE', // The folder to save a model into holds something else.
  'TENSORS_UNUSED', // Warning: the weights hold tensors that the model does not use.
  'LICENSE_MISSING', // Warning: the model folder has no license to copy.

  // model: the tokenizer
  'TOKENIZER_MISSING', // The folder has no tokenizer.json.
  'TOKENIZER_UNSUPPORTED', // tokenizer.json cannot be used.
  'TOKENIZER_SLOW', // A pattern of tokenizer.json takes too long for a text.
  'TOKENIZER_MISMATCH', // The tokenizer has more ids than the model.
  'BOS_NOT_FOUND', // No file of the model names a BOS token.
  'BOS_OVERRIDE_UNKNOWN', // The BOS token that the user set is not in the tokenizer.

  // generator
  'BUDGET_INVALID', // A number of the generation budget is out of range.
  'BUDGET_SMALL', // Warning: the generation budget is less than one sample.
  'MAX_LENGTH_INVALID', // More tokens were asked for than the model can write.
  'SAMPLES_INCOHERENT', // Warning: the samples do not read like text.

  // mixer: files
  'DATASET_FORMAT', // The file's extension is not that of a dataset.
  'DATASET_UNREADABLE', // A dataset file could not be read.
  'DATASET_NOT_UTF8', // A dataset file holds bytes that are not UTF-8.
  'DATASET_EMPTY', // A dataset has no row, or none that can be used.
  'DATASET_INVALID', // A run was refused because its dataset has errors.
  'DATASET_WARNINGS', // Warning: rows of the dataset were left out or cut, or columns are not used.
  'DATASET_ROW_TOO_LONG', // A line is so long that it is not one row.
  'JSON_BROKEN', // A line or file is not JSON.
  'JSON_NOT_A_LIST', // A JSON file is not a list of rows.
  'CSV_HEADER', // Two columns share a name, or there are far too many.
  'CSV_QUOTES', // The quotes of a CSV row are not balanced.
  'CSV_ROW_WIDTH', // A CSV row has more or fewer fields than the header.

  // mixer: rows
  'DATASET_COLUMNS', // The columns do not say what is prompt and what is response.
  'COLUMNS_UNUSED', // Warning: columns that nothing is taken from.
  'TEMPLATE_BROKEN', // A template is not valid Jinja.
  'TEMPLATE_FAILED', // A template could not be filled with a row.
  'TEMPLATE_LIMIT', // A template of any kind does far more than any real one needs, and was stopped.
  'TEMPLATE_FIELD', // A template names a column that is not there.
  'TEMPLATE_HALF', // Only one of the two templates was given, and the rows need both.
  'ROW_NOT_OBJECT', // A row is a single value.
  'FIELD_MISSING', // A row lacks a field.
  'FIELD_NOT_TEXT', // A field is a list or an object.
  'EMPTY_RESPONSE', // The response of a row has no text or no token.
  'RESPONSE_CUT_AWAY', // Warning: the prompt leaves no room for the response.
  'ROW_TRUNCATED', // Warning: the end of a row is cut off.
  'MORE_PROBLEMS', // Note in the Problems panel: more problems than it lists.

  // mixer: conversations
  'CHAT_TEMPLATE_MISSING', // The rows are conversations and the model has no chat template.
  'CHAT_TEMPLATE_BROKEN', // The chat template is not valid Jinja.
  'CHAT_TEMPLATE_FAILED', // The chat template refuses a conversation.
  'CHAT_TEMPLATE_PREFIX', // The chat template changes earlier messages when more follow.
  'CHAT_ANSWERS_TOO_MANY', // The chat template reads all of a conversation anew for each answer, and it has too many.
  'MESSAGES_INVALID', // A row's messages are not a conversation.
  'NO_ASSISTANT_TURN', // A conversation has no answer to train on.

  // mixer: the mix
  'HOLD_OUT_TOO_LARGE', // Holding rows out leaves none to train on.
  'SHARE_INVALID', // The share of context-free samples is out of range.
  'BATCH_TOO_SMALL', // A batch has no room for both kinds of rows.
  'CURSOR_MISMATCH', // A checkpoint was made with other data or settings.

  // trainer
  'CHECKPOINT_DAMAGED', // A checkpoint could not be used.
  'CHECKPOINT_OUTDATED', // A checkpoint of an earlier version, which cannot be resumed.
  'CHECKPOINT_OTHER_RUN', // A checkpoint was made from other data, settings or weights.
  'TRAINING_DIVERGED', // Loss or gradient stayed non-finite for too many steps.

  // evaluator
  'TASK_INVALID', // A task file is not a task.
  'TASK_REPEATED', // A task file is listed twice.
  'TASK_DATA_MISSING', // A task names no data.
  'TASK_DATA_INVALID', // A task's data cannot be read or is not what the task needs.
  'TASK_TEMPLATE_FAILED', // A task's template cannot be applied to an item.
  'TASK_PATTERN_SLOW', // A regular expression of a task takes too long for a text.
  'CONTINUATION_EMPTY', // An answer to score has no token of its own.
  'CONTINUATION_TOO_LONG', // An answer to score does not fit into the context.
  'GENERATION_TOO_LONG', // A task lets the model write more than its context holds.

  // protocol
  'RPC_INVALID', // A message between two of our processes or pages was not understood.
  'RPC_TIMEOUT', // A request got no answer in time.
  'RPC_CLOSED', // A request was abandoned because the line closed.

  // runs
  'CONFIG_INVALID', // A configuration is not valid.
  'CONFIG_UNREADABLE', // A configuration file could not be read.
  'RUN_NOT_FOUND', // There is no run of this name.
  'RUN_AMBIGUOUS', // Several runs begin with this name.
  'RUN_LOCKED', // Another process is writing the run.
  'RUN_CHANGED', // What a run was made from is not what it would go on with.
  'RUN_LOCK_LOST', // Another process has taken the run over, or the lock was removed.
  'RUN_TAKEN_OVER', // Warning: the run was that of a process that gave no sign of life.
  'LOCK_UNSUPPORTED', // The drive of the run folder cannot lock files.
  'ENGINE_DIED', // The process that computes ended unexpectedly, without a word.
  'PROCESS_KILLED', // It was killed from outside, perhaps because memory ran out.
  'RUN_REMOVED', // The run folder went away while the run was under way.
  'RUN_SETTLED', // The settings of a run can no longer be changed.
  'SAMPLES_SETTLED', // Training has started, so its samples can no longer be changed.

  // engine
  'SETTINGS_CHANGED', // Note: a run is resumed with other settings, which is allowed for these.
  'MEMORY_SHORT', // A run needs more memory than there is.
  'DISK_SHORT', // A run needs more disk space than is free.
  'PROTOCOL_MISMATCH', // The editor and the engine do not understand each other.
  'PREVIEW_SUPERSEDED', // A newer preview was asked for.
  'FILE_CHANGED', // A file was written while it was being read.
  'RUN_BEGUN', // A run that has already started was asked to start.
  'RUN_FINISHED', // A finished run was asked to resume.
  'EXCLUDED_IGNORED', // Warning: the list of excluded samples was changed after training began.
  'EXCLUDED_UNKNOWN', // The list of excluded samples has a number that no sample has.
  'SAMPLES_ALL_EXCLUDED', // No sample is left to mix in.
  'SAMPLES_NOT_WANTED', // A run that writes no samples was asked to stop after them.

  // host
  'DRAFT_REPLACED', // The mix page holds the settings of something else by now.
  'ENGINE_KILLED', // The engine did not stop in time and was ended.
  'PREVIEW_DIED', // The preview process ended without a word.
  'PREVIEW_KILLED', // The preview process did not answer in time and was ended.
  'PROCESS_NOT_STARTED', // A process could not be started.
  'REPORT_MISSING', // A run has no report yet.
  'RUN_BUSY', // A run that is running or queued cannot be deleted.
  'RUN_ELSEWHERE', // A run of another window or a terminal cannot be stopped from here.
  'RUN_NOT_SHOWN', // The sample inspector shows another run by now.
  'WORKSPACE_MISSING', // No folder is open.
  'WORKSPACE_UNTRUSTED', // The folder is not trusted.

  // scripts
  'RUNS_MISSING', // The forgetting experiment lacks finished runs.
  'TRANSFORMERS_FAILED', // transformers could not read a model.
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export function isErrorCode(code: string): code is ErrorCode {
  return (errorCodes as readonly string[]).includes(code);
}
