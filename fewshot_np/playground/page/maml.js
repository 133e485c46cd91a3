// Asks the worker. Answers come back in order; who asked again in the meantime ignores the older answer.

let worker;
let count = 0;
const waiting = new Map();

export function askMaml(question) {
  return new Promise((resolve, reject) => {
    try {
      worker ??= startWorker();
    } catch (error) {
      reject(error);
      return;
    }
    const id = ++count;
    waiting.set(id, { resolve, reject });
    worker.postMessage({ ...question, id });
  });
}

function startWorker() {
  const started = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  started.onmessage = ({ data }) => {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error) reject(new Error(data.error));
    else resolve(data);
  };
  started.onerror = (event) => {
    event.preventDefault();
    for (const { reject } of waiting.values()) reject(new Error(event.message || "module worker"));
    waiting.clear();
  };
  return started;
}
