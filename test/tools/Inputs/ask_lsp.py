# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Talks to a language server as an editor does: ask_lsp.py SERVER."""
import json
import subprocess
import sys

WRONG = 'mj.weight @w : tensor<0xf32> from "w"\n'
RIGHT = ('func.func @f(%batch: !mj.batch<2 x 1 x 1>) attributes {mj.entry} {\n'
         '  %t = mj.batch_field %batch[tokens] : <2 x 1 x 1>\n  return\n}\n')


def message(content):
    text = json.dumps({"jsonrpc": "2.0", **content}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(text) + text


def opened(uri, text):
    return message({"method": "textDocument/didOpen",
                    "params": {"textDocument": {"uri": uri, "languageId": "mlir", "version": 1, "text": text}}})


def main():
    place = {"textDocument": {"uri": "test:///right.mlir"}, "position": {"line": 1, "character": 23}}
    questions = b"".join([
        message({"id": 0, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}}),
        message({"method": "initialized", "params": {}}), opened("test:///wrong.mlir", WRONG),
        opened("test:///right.mlir", RIGHT), message({"id": 1, "method": "textDocument/definition", "params": place}),
        message({"id": 2, "method": "shutdown"}), message({"method": "exit"})])
    server = subprocess.run([sys.argv[1]], input=questions, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            timeout=60, check=False)
    rest = server.stdout
    while rest:
        header, rest = rest.split(b"\r\n\r\n", 1)
        length = int(header.split(b":")[1])
        answer, rest = json.loads(rest[:length]), rest[length:]
        if answer.get("id") == 0:
            capabilities = answer["result"]["capabilities"]
            print("initialize:", json.dumps(sorted(key for key, value in capabilities.items() if value)))
        elif answer.get("id") == 1:
            print("definition: line", answer["result"][0]["range"]["start"]["line"])
        elif answer.get("method") == "textDocument/publishDiagnostics":
            found = [diagnostic["message"] for diagnostic in answer["params"]["diagnostics"]]
            print(f"diagnostics of {answer['params']['uri']}:", "; ".join(found) or "none")
    print("ended with", server.returncode)


main()
