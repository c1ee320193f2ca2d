// Live pictures of all streams over one connection. Before each JPEG: number of the stream (2 bytes), length (4 bytes).
const HEAD_BYTES = 6;

class Pictures {
  constructor(show) {
    this.show = show; // called with the number of a stream and its picture
    this.busy = new Set();
    this.stop = null;
    document.addEventListener('visibilitychange', () => this.follow());
    this.follow();
  }

  // A page that nobody sees asks for nothing.
  follow() {
    if (document.hidden) {
      if (this.stop) this.stop.abort();
    } else if (!this.stop) {
      this.read();
    }
  }

  restart() {
    if (this.stop) this.stop.abort();
  }

  async read() {
    while (!document.hidden) {
      this.stop = new AbortController();
      try {
        const answer = await fetch('/pictures', {signal: this.stop.signal});
        if (answer.ok) await this.take(answer.body.getReader());
      } catch (error) {
        // the connection was lost: it is made again
      }
      await new Promise((done) => setTimeout(done, 1000));
    }
    this.stop = null;
    if (!document.hidden) this.follow();
  }

  async take(reader) {
    let rest = new Uint8Array(0);
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      const data = new Uint8Array(rest.length + value.length);
      data.set(rest);
      data.set(value, rest.length);
      rest = this.cut(data);
    }
  }

  cut(data) {
    let start = 0;
    const view = new DataView(data.buffer);
    while (data.length - start >= HEAD_BYTES) {
      const length = view.getUint32(start + 2);
      if (data.length - start < HEAD_BYTES + length) break;
      this.decode(view.getUint16(start), data.slice(start + HEAD_BYTES, start + HEAD_BYTES + length));
      start += HEAD_BYTES + length;
    }
    return data.slice(start);
  }

  // A browser that decodes slowly leaves pictures out.
  async decode(number, jpeg) {
    if (this.busy.has(number)) return;
    this.busy.add(number);
    try {
      const picture = await createImageBitmap(new Blob([jpeg], {type: 'image/jpeg'}));
      this.show(number, picture);
      picture.close();
    } catch (error) {
      // half a picture is not shown
    } finally {
      this.busy.delete(number);
    }
  }
}

// Draws a picture into a canvas of its size.
function paint(canvas, picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext('2d').drawImage(picture, 0, 0);
}
