"""The service that one writes with FastAPI and ONNX Runtime: what `serving.py` measures beside `fromlogits serve`.

python benchmarks/onnx_service.py MODEL.onnx PORT [uvicorn|granian]
"""

import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # the faster choice for a row, and threads of its own would be the server's
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
[x] = session.get_inputs()
dtype = {"tensor(double)": np.float64, "tensor(float)": np.float32}[x.type]
app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]]


@app.post("/predict")
async def predict(body: Rows) -> dict[str, list]:
    _, probabilities, label = session.run(None, {x.name: np.array(body.rows, dtype)})
    return {"label": label.tolist(), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    port = int(sys.argv[2])
    if sys.argv[3:] == ["granian"]:
        from granian import Granian

        Granian("onnx_service:app", port=port, interface="asgi", loop="uvloop", log_enabled=False).serve()
    else:
        uvicorn.run(app, port=port, log_level="critical", access_log=False)
