import threading

from tests import make


def test_a_progress_bar_counts_the_steps_of_several_threads():
    with make.QUIET.bar("Counting", 0) as bar:
        total = []
        bar._bar = type("Plain", (), {"update": lambda _, n: total.append(sum(total[-1:]) + n)})()
        threads = [
            threading.Thread(target=lambda: [bar.update(1) for _ in range(2000)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert total[-1] == 16_000
